package archtest

import (
	"fmt"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// floors says how high each package stands. Imports only go down.
func floors() map[string]int {
	return map[string]int{
		"consent": 0, "prompts": 0, "internal/sdp": 0, "internal/dtmf": 0, "internal/config": 0, "internal/g711": 0,
		"internal/g722": 0, "internal/oggopus": 0,
		"internal/wav": 0, "internal/metrics": 0, "internal/stored": 0,
		"internal/number": 0, "internal/hours": 0, "internal/limit": 0, "internal/headers": 0, "internal/siprecxml": 0,
		"sip": 1, "internal/media": 1, "internal/redisstore": 1, "internal/boltstore": 1, "internal/spool": 1,
		"internal/route": 1, "internal/target": 1,
		"internal/rtprecorder": 2, "internal/siprec": 2, "internal/recordserver": 2,
		"internal/call":   3,
		"internal/export": 4, "internal/api": 4, "internal/api/client": 4, "internal/phone": 4,
		"internal/gateway":    5,
		"internal/demo":       6,
		"internal/bench":      6,
		"internal/acceptance": 8, // tests of the program from outside
		"cmd/consentgw":       7,
	}
}

// sideways lists the imports that stay on a floor. Every other one goes down.
func sideways() map[string]string {
	return map[string]string{
		"internal/stored -> consent":           "it is the stored form of what consent defines, shared by all stores",
		"internal/wav -> internal/g711":        "a WAVE file may hold A-law or mu-law",
		"internal/config -> internal/number":   "patterns of numbers are refused where they are written",
		"internal/config -> internal/hours":    "so are the hours of a route",
		"internal/siprecxml -> consent":        "the metadata says what the consent is that a recording rests on",
		"internal/config -> internal/headers":  "so are headers that no platform may be given",
		"prompts -> internal/g711":             "every notice is there in the codecs of the trunk",
		"prompts -> internal/g722":             "every notice is there in the codecs of the trunk",
		"prompts -> internal/oggopus":          "Opus is encoded ahead",
		"prompts -> internal/wav":              "operators supply notices as WAVE files",
		"internal/spool -> internal/boltstore": "records wait on disk in the form of the embedded store",
		"internal/api -> internal/export":      "the API streams the export",
	}
}

// homes names the one package of ours that imports a third-party module in what
// users run.
func homes() map[string]string {
	return map[string]string{
		"github.com/emiago/sipgo":             "sip",
		"github.com/pion/rtp":                 "internal/media",
		"github.com/pion/rtcp":                "internal/media",
		"github.com/pion/srtp/v3":             "internal/media",
		"github.com/redis/go-redis/v9":        "internal/redisstore",
		"go.etcd.io/bbolt":                    "internal/boltstore",
		"github.com/goccy/go-yaml":            "internal/config",
		"github.com/spf13/cobra":              "cmd/consentgw",
		"github.com/prometheus/client_golang": "internal/metrics",
		"github.com/google/uuid":              "internal/call",
		"github.com/stretchr/testify":         inTestsOnly,
		"go.uber.org/goleak":                  inTestsOnly,
		"pgregory.net/rapid":                  inTestsOnly,
	}
}

// inTestsOnly is the home of a module that nothing users run imports.
const inTestsOnly = "tests"

// rule is one rule of the house.
type rule struct {
	name   string
	find   func(*module) []finding
	except map[string]string // key of a finding: the reason for which it may stay
}

// broken lists what breaks the rule, and the exceptions that nothing needs.
func (r rule) broken(m *module) []string {
	var lines []string
	needed := map[string]bool{}
	for _, f := range r.find(m) {
		if _, ok := r.except[f.key]; ok {
			needed[f.key] = true
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: %s [%s]", f.at, f.text, f.key))
	}
	for key := range r.except {
		if !needed[key] {
			lines = append(lines, "an exception that nothing needs: "+key)
		}
	}
	slices.Sort(lines)
	return lines
}

func architecture() []rule {
	return []rule{
		{"imports only go down a floor", (*module).climbing, sideways()},
		{"every package has a floor", (*module).floorless, nil},
		{"test packages are imported by tests only", (*module).testImports, nil},
		{"the law imports the standard library only, does no I/O and reads no clock", (*module).lawless, nil},
		{"a third-party module has one home", (*module).homeless, nil},
		{"what go.mod requires is used at its home", (*module).unused, nil},
	}
}

func TestTheArchitecture(t *testing.T) { hold(t, architecture()) }

func TestTheStyle(t *testing.T) { hold(t, style()) }

func hold(t *testing.T, rules []rule) {
	m, err := readModule("../..")
	require.NoError(t, err)
	require.Equal(t, "consentgw", m.name)
	require.NotEmpty(t, m.files)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, line := range r.broken(m) {
				t.Error(line)
			}
		})
	}
}

// ours returns the folder of a package of this module.
func (m *module) ours(importPath string) (dir string, ok bool) {
	if importPath == m.name {
		return ".", true
	}
	return strings.CutPrefix(importPath, m.name+"/")
}

// eachImport visits the imports of all files that visit wants.
func (m *module) eachImport(wanted func(*file) bool, visit func(f *file, at token.Pos, importPath string)) {
	for _, f := range m.files {
		if !wanted(f) {
			continue
		}
		for _, spec := range f.syntax.Imports {
			if p, err := strconv.Unquote(spec.Path.Value); err == nil {
				visit(f, spec.Pos(), p)
			}
		}
	}
}

func shipped(f *file) bool { return !f.testOnly() }

// once keeps one finding of each key, for rules about packages.
func once(all []finding) []finding {
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(f finding) bool {
		double := seen[f.key]
		seen[f.key] = true
		return double
	})
}

func (m *module) climbing() (all []finding) {
	floor := floors()
	m.eachImport(shipped, func(f *file, at token.Pos, p string) {
		to, ours := m.ours(p)
		if !ours || isTestPackage(to) {
			return
		}
		mine, its := floor[f.dir], floor[to]
		if its >= mine {
			all = append(all, m.found(at, f.dir+" -> "+to, "%s on floor %d imports %s on floor %d", f.dir, mine, to, its))
		}
	})
	return once(all)
}

func (m *module) floorless() (all []finding) {
	floor := floors()
	for _, f := range m.files {
		if _, ok := floor[f.dir]; !ok && !isTestPackage(f.dir) {
			all = append(all, m.found(f.syntax.Package, f.dir, "package %s has no floor: say where it stands, and why there", f.dir))
		}
	}
	return once(all)
}

func (m *module) testImports() (all []finding) {
	m.eachImport(shipped, func(f *file, at token.Pos, p string) {
		if to, ours := m.ours(p); ours && isTestPackage(to) {
			all = append(all, m.found(at, f.dir+" -> "+to, "%s imports %s, which is for tests", f.path, to))
		}
	})
	return all
}

// lawless finds what package consent may not know: other modules, the network,
// files, logs and the time of day.
func (m *module) lawless() (all []finding) {
	inLaw := func(f *file) bool { return f.dir == "consent" && !f.inTest }
	m.eachImport(inLaw, func(f *file, at token.Pos, p string) {
		root, _, _ := strings.Cut(p, "/")
		if _, ours := m.ours(p); ours || strings.Contains(root, ".") {
			all = append(all, m.found(at, p, "the law imports %s, which is not the standard library", p))
		} else if slices.Contains([]string{"net", "os", "io", "log", "syscall", "database", "unsafe", "plugin"}, root) {
			all = append(all, m.found(at, p, "the law imports %s", p))
		}
	})
	for _, f := range m.files {
		if inLaw(f) {
			all = append(all, m.clockReads(f)...)
		}
	}
	return all
}

// homeless finds third-party imports away from home.
func (m *module) homeless() (all []finding) {
	home := homes()
	for required := range m.requires {
		if home[required] == "" {
			all = append(all, finding{key: required, at: "go.mod", text: required + " has no home: name the one package that imports it"})
		}
	}
	m.eachImport(func(*file) bool { return true }, func(f *file, at token.Pos, p string) {
		root, _, _ := strings.Cut(p, "/")
		if _, ours := m.ours(p); ours || !strings.Contains(root, ".") {
			return
		}
		of := m.required(p)
		key := f.dir + " -> " + of
		switch {
		case of == "":
			all = append(all, m.found(at, f.dir+" -> "+p, "%s is imported, but go.mod does not require it directly", p))
		case f.testOnly():
		case home[of] == inTestsOnly:
			all = append(all, m.found(at, key, "%s is for tests only", of))
		case home[of] != f.dir:
			all = append(all, m.found(at, key, "%s is imported by %s, but its home is %s", of, f.dir, home[of]))
		}
	})
	return all
}

// required returns the directly required module that a package belongs to.
func (m *module) required(importPath string) string {
	for p := importPath; p != "."; p = path.Dir(p) {
		if m.requires[p] {
			return p
		}
	}
	return ""
}

// unused finds requirements that their home does not import.
func (m *module) unused() (all []finding) {
	at := map[string]bool{}
	m.eachImport(func(*file) bool { return true }, func(f *file, _ token.Pos, p string) {
		at[m.required(p)+" in "+f.dir] = true
		if f.testOnly() {
			at[m.required(p)+" in "+inTestsOnly] = true
		}
	})
	for required, home := range homes() {
		if m.requires[required] && !at[required+" in "+home] {
			all = append(all, finding{key: required, at: "go.mod", text: fmt.Sprintf("%s is required, but %s does not import it", required, home)})
		}
	}
	return all
}
