package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"consentgw/internal/number"

	"github.com/stretchr/testify/assert"
)

func FuzzParse(f *testing.F) {
	bad, err := os.ReadFile(filepath.Join(testdata, "bad20.yaml"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(bad), "")
	f.Add(full(f), "CARRIER_B_PASSWORD=a\nCENTER_PASSWORD=b\nCONSENTGW_ROUTES_0_WHEN_1_ZONE=UTC")
	f.Add("routes: [{name: a, platform: b, when: {zone: UTC}, rewrite: {to: [{match: '/(/', replace: '${1}'}]}}]", "CONSENTGW_ROUTES_0_WHEN_0_DAYS=mon..fri")
	f.Add("trunks: [{name: a, from: ['::/0'], tls: {names: [B.example]}, normalize: e164}]", "CONSENTGW_TRUNKS_0_COUNTRY=NL")
	f.Add(example(f), "CONSENTGW_NODE_ID=a\nCONSENTGW_REDIS_PASSWORD=hunter2")
	f.Add(string(defaults), "CONSENTGW_STORE_REDIS_ADDRS=a:1,b:2\nCONSENTGW_STORE_REDIS_ADDRS_1=c:3")
	f.Add("node: {id: &a b}\nlog: *a\nstore: {<<: *a}\n", "CONSENTGW_PLATFORMS_0_TARGETS_0_URI=sip:a")
	f.Add("? a\n: b\n---\n- |\n  x\n", "CONSENTGW_TRUNKS=x\nCONSENTGW_NODE_DI=x")
	f.Add("node: {id: '${env:A:-b}$${c}${env:B}'}\n", "A=1")
	for _, text := range hostile(200) {
		f.Add(text, "")
	}
	f.Fuzz(func(t *testing.T, text, variables string) {
		if strings.Contains(text, "${file:") {
			t.Skip("would read files of this machine")
		}
		lookup, environ := environment(strings.Split(variables, "\n")...)
		c, fs := Parse("c.yaml", []byte(text), lookup, environ)
		assert.NotNil(t, c)
		last := strings.Count(strings.ReplaceAll(text, "\r\n", "\n"), "\n") + 1
		for _, x := range fs {
			assert.NotEmpty(t, x.Text)
			inFile := x.File == "c.yaml" && x.Variable == "" && x.Line >= 1 && x.Line <= last && x.Column >= 1
			inDefaults := x.File == defaultsName && x.Line >= 1 && x.Column >= 1
			inVariable := x.File == "" && x.Line == 0 && strings.HasPrefix(x.Variable, "CONSENTGW_")
			assert.True(t, inFile || inDefaults || inVariable, "%+v", x)
		}
		assert.True(t, slices.IsSortedFunc(fs, func(a, b Finding) int {
			if a.Variable != b.Variable {
				return strings.Compare(a.Variable, b.Variable)
			}
			return a.Line - b.Line
		}))
		if fs.Err() == nil {
			usable(t, c)
		}
	})
}

// usable is what the rest of the gateway relies on.
func usable(t *testing.T, c *Config) {
	assert.NotEmpty(t, c.Node.ID)
	assert.NotEmpty(t, c.Routes)
	for _, s := range []Side{c.Listen.Trunk, c.Listen.Platform} {
		assert.NotEmpty(t, s.SIP)
		assert.True(t, s.Media.IsValid() && !s.Media.IsUnspecified())
		assert.Positive(t, s.Ports.Pairs())
	}
	for _, p := range c.Platforms {
		assert.NotEmpty(t, p.Targets)
		assert.Positive(t, p.AnswerTimeout)
		assert.NotNil(t, p.FailoverOn)
		assert.NotEmpty(t, p.Headers)
	}
	for _, trunk := range c.Trunks {
		assert.NotEmpty(t, trunk.From)
		assert.NotEmpty(t, trunk.SRTP)
		assert.GreaterOrEqual(t, trunk.MaxCPS, 0.0)
		assert.True(t, trunk.Auth == nil || trunk.Auth.Username != "" && trunk.Auth.Password != "" && trunk.Auth.Realm != "")
		_, known := number.PlanOf(trunk.Country)
		assert.True(t, known || trunk.Normalize == "off")
	}
	for _, p := range c.Policies {
		for _, field := range []string{p.Name, p.Jurisdiction, p.Basis, p.Notice, p.Language, p.Keys.Yes, p.Keys.No, p.Keys.Repeat, p.Keys.Withdraw} {
			assert.NotEmpty(t, field)
		}
		assert.NotEqual(t, p.Keys.Yes, p.Keys.No)
		assert.Positive(t, p.AnswerTimeout)
		assert.NoError(t, p.Retention.Record.check())
		assert.NoError(t, p.Retention.Recording.check())
	}
	for _, r := range c.Routes {
		for _, w := range r.When {
			assert.NotNil(t, w.Zone)
		}
		for _, p := range []number.Pattern{r.From, r.To} {
			_, err := p.Compile()
			assert.NoError(t, err)
		}
		for _, rules := range [][]number.Rule{r.Rewrite.From, r.Rewrite.To} {
			_, err := number.Compile(rules)
			assert.NoError(t, err)
		}
		assert.True(t, slices.ContainsFunc(c.Platforms, func(p Platform) bool { return p.Name == r.Platform }))
		if len(r.Recorders) == 0 {
			continue
		}
		i := slices.IndexFunc(c.Policies, func(p Policy) bool { return p.Name == r.Policy })
		if assert.GreaterOrEqual(t, i, 0) {
			assert.Equal(t, "consent", c.Policies[i].Basis, "nothing is recorded on another basis")
		}
	}
}
