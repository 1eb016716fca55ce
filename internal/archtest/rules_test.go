package archtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goMod is the go.mod of the little modules of these tests.
const goMod = `module consentgw

go 1.26.0

require github.com/google/uuid v1.6.0

require (
	github.com/stretchr/testify v1.12.1
	go.etcd.io/bbolt v1.5.0
	golang.org/x/sync v0.22.0 // indirect
)
`

// everything that go.mod requires, used where it belongs.
func lawful() map[string]string {
	return map[string]string{
		"go.mod":                       goMod,
		"internal/call/a.go":           "// Package call x.\npackage call\nimport _ \"github.com/google/uuid\"",
		"internal/boltstore/a.go":      "// Package boltstore x.\npackage boltstore\nimport _ \"go.etcd.io/bbolt\"",
		"internal/boltstore/a_test.go": "package boltstore\nimport _ \"github.com/stretchr/testify/assert\"",
	}
}

func lines(n int) string { return strings.Repeat("\n", n) }

func fields(n int) (s string) {
	for i := range n {
		s += fmt.Sprintf("f%d int\n", i)
	}
	return s
}

func TestEveryRuleSeesWhatBreaksIt(t *testing.T) {
	type sources = map[string]string
	for _, c := range []struct {
		rule, name string
		sources    sources
		want       []string // keys
	}{
		{"imports only go down a floor", "down", sources{"internal/call/b.go": `package call; import _ "consentgw/consent"`}, nil},
		{"imports only go down a floor", "up", sources{"consent/a.go": `package consent; import _ "consentgw/sip"`}, []string{"consent -> sip"}},
		{"imports only go down a floor", "across", sources{"sip/a.go": `package sip; import _ "consentgw/internal/media"`},
			[]string{"sip -> internal/media"}},
		{"imports only go down a floor", "twice is one finding", sources{"sip/a.go": `package sip; import _ "consentgw/internal/media"`,
			"sip/b.go": `package sip; import _ "consentgw/internal/media"`}, []string{"sip -> internal/media"}},
		{"imports only go down a floor", "a file of another system", sources{
			"consent/a.go": "//go:build windows\n\npackage consent\nimport _ \"consentgw/sip\""}, []string{"consent -> sip"}},
		{"imports only go down a floor", "a test may look anywhere", sources{"consent/a_test.go": `package consent; import _ "consentgw/sip"`}, nil},
		{"every package has a floor", "known", sources{"consent/a.go": `package consent`}, nil},
		{"every package has a floor", "new", sources{"internal/novel/a.go": `package novel`}, []string{"internal/novel"}},
		{"every package has a floor", "new, with tests only", sources{"internal/novel/a_test.go": `package novel`}, []string{"internal/novel"}},
		{"every package has a floor", "at the root", sources{"a.go": `package consentgw`}, []string{"."}},
		{"every package has a floor", "a test package", sources{"internal/noveltest/a.go": `package noveltest`}, nil},
		{"test packages are imported by tests only", "by a test", sources{
			"sip/a_test.go":           `package sip; import _ "consentgw/internal/storetest"`,
			"internal/noveltest/a.go": `package noveltest; import _ "consentgw/internal/storetest"`}, nil},
		{"test packages are imported by tests only", "by what users run", sources{
			"sip/a.go": `package sip; import _ "consentgw/internal/storetest"`}, []string{"sip -> internal/storetest"}},
		{"the law imports the standard library only, does no I/O and reads no clock", "what it may", sources{
			"consent/a.go":      `package consent; import ("context"; "time"; "sync/atomic"); var _ time.Duration = time.Second`,
			"consent/a_test.go": `package consent; import "os"; var _ = os.Exit`}, nil},
		{"the law imports the standard library only, does no I/O and reads no clock", "what it may not", sources{
			"consent/a.go": `package consent; import (_ "net/http"; _ "os"; _ "github.com/google/uuid"; _ "consentgw/sip"; _ "log/slog")`},
			[]string{"net/http", "os", "github.com/google/uuid", "consentgw/sip", "log/slog"}},
		{"the law imports the standard library only, does no I/O and reads no clock", "a clock", sources{
			"consent/a.go": `package consent; import t "time"; func f() { now := t.Now; _ = now; <-t.After(1) }`},
			[]string{"time.Now", "time.After"}},
		{"a third-party module has one home", "away from home", sources{
			"sip/a.go": `package sip; import _ "go.etcd.io/bbolt/errors"`}, []string{"sip -> go.etcd.io/bbolt"}},
		{"a third-party module has one home", "a test module in what users run", sources{
			"sip/a.go": `package sip; import _ "github.com/stretchr/testify/assert"`}, []string{"sip -> github.com/stretchr/testify"}},
		{"a third-party module has one home", "in tests and test packages", sources{
			"sip/a_test.go":           `package sip; import _ "go.etcd.io/bbolt"`,
			"internal/storetest/a.go": `package storetest; import (_ "github.com/google/uuid"; _ "github.com/stretchr/testify/require")`}, nil},
		{"a third-party module has one home", "only indirectly required", sources{
			"sip/a.go": `package sip; import _ "golang.org/x/sync/errgroup"`}, []string{"sip -> golang.org/x/sync/errgroup"}},
		{"a third-party module has one home", "required without a home", sources{
			"go.mod": goMod + "require example.com/new v1.0.0\n"}, []string{"example.com/new"}},
		{"what go.mod requires is used at its home", "used", nil, nil},
		{"what go.mod requires is used at its home", "used by a test at home", sources{"internal/boltstore/a.go": `package boltstore`,
			"sip/a.go": `package sip; import _ "go.etcd.io/bbolt"`}, []string{"go.etcd.io/bbolt"}},
		{"what go.mod requires is used at its home", "used by no test", sources{"internal/boltstore/a_test.go": `package boltstore`},
			[]string{"github.com/stretchr/testify"}},
		{"no init functions", "init", sources{"sip/a_test.go": `package sip; func init() {}`}, []string{"sip/a_test.go"}},
		{"no init functions", "a method", sources{"sip/a.go": `package sip; type t int; func (t) init() {}`}, nil},
		{"a package is named for what it provides", "a folder", sources{"internal/util/a.go": `package strings`}, []string{"internal/util"}},
		{"a package is named for what it provides", "a parent", sources{"internal/common/sip/a.go": `package sip`}, []string{"internal/common/sip"}},
		{"a package is named for what it provides", "a name", sources{"internal/sdp/a.go": `package helpers`}, []string{"internal/sdp"}},
		{"a package is named for what it provides", "a test package", sources{"internal/helpertest/a.go": `package helpertest`},
			[]string{"internal/helpertest"}},
		{"every package has a package comment", "in one of its files", sources{"sip/a.go": `package sip`, "sip/b.go": "// Package sip signals.\npackage sip"}, nil},
		{"every package has a package comment", "in its test only", sources{"sip/a.go": `package sip`, "sip/a_test.go": "// Package sip signals.\npackage sip"},
			[]string{"sip"}},
		{"every package has a package comment", "apart from the clause", sources{"sip/a.go": "// Package sip signals.\n\npackage sip"}, []string{"sip"}},
		{"every package has a package comment", "of another package", sources{"sip/a.go": "// Package sdp describes.\npackage sip"}, []string{"sip"}},
		{"every package has a package comment", "a package of tests", sources{"internal/a_test.go": "// Package internal tests.\npackage internal_test"}, nil},
		{"every package has a package comment", "a command", sources{"cmd/consentgw/a.go": "// Command consentgw runs.\npackage main"}, nil},
		{"every package has a package comment", "a tool beside it", sources{"sip/a.go": "//go:build ignore\n\n// Command x.\npackage main",
			"sip/b.go": "// Package sip signals.\npackage sip"}, nil},
		{"no file is too long", "400 lines", sources{"sip/a.go": "package sip" + lines(400)}, nil},
		{"no file is too long", "401 lines", sources{"sip/a.go": "package sip" + lines(400) + "//"}, []string{"sip/a.go"}},
		{"no file is too long", "a test", sources{"sip/a_test.go": "package sip" + lines(401), "internal/siptest/a.go": "package siptest" + lines(401)}, nil},
		{"no file is too long", "generated", sources{"sip/a.go": "// Code generated by x. DO NOT EDIT.\npackage sip" + lines(401)}, nil},
		{"no function is too long", "60 lines", sources{"sip/a.go": "package sip\nfunc f() {" + lines(59) + "}"}, nil},
		{"no function is too long", "61 lines", sources{"sip/a.go": "package sip\nfunc f() {" + lines(60) + "}"}, []string{"sip.f"}},
		{"no function is too long", "a method", sources{"sip/a.go": "package sip\ntype t[K any] int\nfunc (x *t[K]) f() {" + lines(60) + "}"}, []string{"sip.t.f"}},
		{"no function is too long", "a literal", sources{"sip/a.go": "package sip\nvar f = func() {" + lines(60) + "}"}, []string{"sip.function literal"}},
		{"no function is too long", "a test", sources{"sip/a_test.go": "package sip\nfunc f() {" + lines(60) + "}"}, nil},
		{"no struct has too many fields", "15 fields", sources{"sip/a.go": "package sip\ntype s struct {" + fields(15) + "}"}, nil},
		{"no struct has too many fields", "16 fields", sources{"sip/a.go": "package sip\ntype s struct {" + fields(15) + "error }"}, []string{"sip.s"}},
		{"no struct has too many fields", "16 names in a line", sources{
			"sip/a.go": "package sip\ntype s struct { a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p int }"}, []string{"sip.s"}},
		{"no struct has too many fields", "a struct in a function in a struct", sources{
			"sip/a.go": "package sip\nfunc f() { var _ struct { in struct {" + fields(16) + "} } }"}, []string{"sip.an anonymous struct"}},
		{"no struct has too many fields", "a test", sources{"sip/a_test.go": "package sip\ntype s struct {" + fields(16) + "}"}, nil},
		{"nothing sleeps outside a synctest bubble", "in a test", sources{
			"sip/a_test.go": `package sip; import nap "time"; func f() { nap.Sleep(1) }`}, []string{"sip/a_test.go"}},
		{"nothing sleeps outside a synctest bubble", "in what users run", sources{
			"sip/a.go": `package sip; import "time"; func f() { time.Sleep(0) }`}, []string{"sip/a.go"}},
		{"nothing sleeps outside a synctest bubble", "in a bubble", sources{
			"sip/a_test.go": `package sip; import ("time"; "testing/synctest"); func f() { synctest.Test(nil, func(any) { time.Sleep(1) }) }`}, nil},
		{"nothing sleeps outside a synctest bubble", "in a function that is a bubble", sources{
			"sip/a_test.go": `package sip; import ("time"; "testing/synctest"); func f() { synctest.Test(nil, g) }; func g(any) { time.Sleep(1) }`}, nil},
		{"nothing sleeps outside a synctest bubble", "in a method of the same name", sources{
			"sip/a_test.go": `package sip; import ("time"; "testing/synctest"); type t int; func f() { synctest.Test(nil, g) }; func (t) g() { time.Sleep(1) }`},
			[]string{"sip/a_test.go"}},
		{"nothing sleeps outside a synctest bubble", "another Sleep", sources{
			"sip/a_test.go": `package sip; import "consentgw/internal/time"; func f() { time.Sleep(1) }`}, nil},
		{"what users run does not import testing", "testing", sources{"sip/a.go": `package sip; import _ "testing"`}, []string{"sip/a.go"}},
		{"what users run does not import testing", "what belongs to it", sources{"sip/a.go": `package sip; import x "testing/fstest"`,
			"sip/b.go": `package sip; import "net/http/httptest"`}, []string{"sip/a.go", "sip/b.go"}},
		{"what users run does not import testing", "a test package", sources{"internal/storetest/a.go": `package storetest; import "testing"`}, nil},
		{"nothing panics for control flow", "a panic", sources{
			"sip/a.go": `package sip; func f() { defer func() { panic("x") }() }`}, []string{"sip.f"}},
		{"nothing panics for control flow", "a recovery, and a method called panic", sources{
			"sip/a.go": `package sip; type t int; func (t) panic() {}; func f() { recover(); t(0).panic() }`}, nil},
		{"nothing panics for control flow", "a test", sources{"sip/a_test.go": `package sip; func f() { panic("x") }`}, nil},
		{"only main ends the process", "elsewhere", sources{"sip/a.go": `package sip; import ("os"; "log"); func f() { os.Exit(1); log.Fatalf("x"); log.Panic("x") }`},
			[]string{"sip/a.go", "sip/a.go", "sip/a.go"}},
		{"only main ends the process", "main", sources{"cmd/consentgw/a.go": `package main; import "os"; func main() { os.Exit(1) }`}, nil},
	} {
		t.Run(c.rule+": "+c.name, func(t *testing.T) {
			assert.ElementsMatch(t, c.want, keysOf(t, c.rule, c.sources))
		})
	}
}

func TestAVariableStaysOnlyIfNothingCanChangeIt(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       []string // keys
	}{
		{"an error", `import "errors"; var errX = errors.New("x")`, nil},
		{"a wrapped error", `import "fmt"; var errX = fmt.Errorf("x: %w", errY); var errY = fmt.Errorf("y")`, nil},
		{"a pattern", `import "regexp"; var form = regexp.MustCompile("x")`, nil},
		{"an assertion", `type t int; var _ interface{} = t(0); var _, _ = f(); func f() (int, int) { return 0, 0 }`, nil},
		{"an embedded file", "import _ \"embed\"\n//go:embed x\nvar x []byte", nil},
		{"an embedded file in a group", "import _ \"embed\"\nvar (\n//go:embed x\nx []byte\n)", nil},
		{"an embedded file that is written to", "import _ \"embed\"\n//go:embed x\nvar x []byte\nfunc f() { x[0] = 1 }", []string{"sip.x"}},
		{"tables", `import "time"; type p struct{ d time.Duration; in []int }
			var a = [...]int{1, -2, 1 << 3}; var b = map[string]p{"x": {time.Second, []int{(3)}}}; var c = []func(){f, func() {}}
			var d = []any{float64(1), time.Unix(0, 0)}; func f() {}`, nil},
		{"a value that is no constant of the language", `import ("time"; "net/netip")
			var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC); var loopback = netip.MustParseAddr("127.0.0.1")`, nil},
		{"a pointer to a literal whose type nobody writes to", `type p struct{ n int }; var a = &p{1}; func f() p { return *a }`, nil},
		{"a pointer to a literal whose type somebody writes to", `type p struct{ n int }; var a = &p{1}; func f(q *p) { q.n++ }`, []string{"sip.a"}},
		{"a pointer to a literal of another package", `import "net/http"; var c = &http.Client{}`, []string{"sip.c"}},
		{"a table of pointers", `type p struct{ n int }; var a = []*p{&p{1}}`, []string{"sip.a"}},
		{"no value", `import "sync"; var mu sync.Mutex; var n int`, []string{"sip.mu", "sip.n"}},
		{"a plain value", `var n = 5; var s = "x"; var y = x; const x = 1`, []string{"sip.n", "sip.s", "sip.y"}},
		{"a seam", `import "time"; var now = time.Now`, []string{"sip.now"}},
		{"a function", `var f = func() {}`, []string{"sip.f"}},
		{"made", `var m = make(map[string]int); var c = make(chan int); var n = new(int)`, []string{"sip.m", "sip.c", "sip.n"}},
		{"made by the package itself", `var t = table(); func table() [2]int { return [2]int{} }`, []string{"sip.table()"}},
		{"two of one call", `var a, b = f(); func f() (int, int) { return 0, 0 }`, []string{"sip.a", "sip.b"}},
		{"assigned", `var a = []int{1}; func f() { a = nil }`, []string{"sip.a"}},
		{"assigned within", `var a = [2]struct{ n int }{}; func f() { a[0].n = 1 }`, []string{"sip.a"}},
		{"counted", `var a = [2]int{}; func f() { a[1]++ }`, []string{"sip.a"}},
		{"ranged into", `var a = [2]int{}; func f() { for a[0] = range 3 {} }`, []string{"sip.a"}},
		{"its address taken", `var a = [2]int{}; func f() *int { return &a[1] }`, []string{"sip.a"}},
		{"deleted from", `var m = map[int]int{1: 1}; func f() { delete(m, 1) }`, []string{"sip.m"}},
		{"copied into", `var a = []int{1}; func f() { copy(a[:], []int{2}) }`, []string{"sip.a"}},
		{"sorted", `import "slices"; var a = []int{1}; func f() { slices.Sort(a) }`, []string{"sip.a"}},
		{"a method that may write", `type t struct{ n int }; func (x *t) add() { x.n++ }; var a = t{1}; func f() { a.add() }`, []string{"sip.a"}},
		{"a method that may not write", `type t struct{ n int }; func (x t) get() int { return x.n }; var a = t{1}; func f() int { return a.get() }`, nil},
		{"a local variable of the same name", `var a = []int{1}; func f(a []int) { a[0] = 1; a = nil; b := 1; b++ }`, nil},
		{"a variable of another package", `import "net/http"; func f() { http.DefaultClient = nil; http.DefaultTransport.X = 1 }`,
			[]string{"sip -> http.DefaultClient", "sip -> http.DefaultTransport.X"}},
		{"a flag in what users run", `import "flag"; var update = flag.Bool("update", false, "")`, []string{"sip.update"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sources := map[string]string{"sip/a.go": "package sip\n" + c.code}
			assert.ElementsMatch(t, c.want, keysOf(t, "no package-level variable changes", sources))
		})
	}
	t.Run("a test may have a flag, and may not change what it tests", func(t *testing.T) {
		sources := map[string]string{"sip/a.go": `package sip; var a = []int{1}`,
			"sip/a_test.go": `package sip; import "flag"; var update = flag.Bool("update", false, ""); func f() { a = nil }`}
		assert.Equal(t, []string{"sip.a"}, keysOf(t, "no package-level variable changes", sources))
	})
}

func ruleOf(t *testing.T, name string) rule {
	t.Helper()
	for _, r := range append(architecture(), style()...) {
		if r.name == name {
			return r
		}
	}
	t.Fatalf("no rule %q", name)
	return rule{}
}

// keysOf applies one rule, without its exceptions, to a lawful module with the
// given files put over it, and returns what it finds there.
func keysOf(t *testing.T, rule string, sources map[string]string) (keys []string) {
	t.Helper()
	all := lawful()
	for name, text := range sources {
		all[name] = text
	}
	m, err := newModule(all)
	require.NoError(t, err)
	for _, f := range ruleOf(t, rule).find(m) {
		keys = append(keys, f.key)
		assert.NotEmpty(t, f.text)
		assert.Regexp(t, `^([a-z/_]+\.go:\d+|go\.mod)$`, f.at)
	}
	return keys
}

func TestAnExceptionServesOneKeyAndIsNeeded(t *testing.T) {
	m, err := newModule(map[string]string{"go.mod": goMod, "sip/a.go": "package sip\nfunc f() { panic(1) }\nfunc g() { panic(2) }"})
	require.NoError(t, err)
	r := ruleOf(t, "nothing panics for control flow")

	r.except = map[string]string{"sip.f": "why", "sip.h": "why"}
	assert.Equal(t, []string{"an exception that nothing needs: sip.h", "sip/a.go:3: g panics [sip.g]"}, r.broken(m))
	r.except = map[string]string{"sip.f": "why", "sip.g": "why"}
	assert.Empty(t, r.broken(m))
}

func TestEveryExceptionHasItsReason(t *testing.T) {
	for _, r := range append(architecture(), style()...) {
		for key, reason := range r.except {
			assert.NotEmpty(t, reason, "%s: %s", r.name, key)
		}
	}
}

func TestReadingAModule(t *testing.T) {
	m, err := newModule(map[string]string{"go.mod": goMod})
	require.NoError(t, err)
	assert.Equal(t, "consentgw", m.name)
	assert.Equal(t, map[string]bool{"github.com/google/uuid": true, "github.com/stretchr/testify": true, "go.etcd.io/bbolt": true}, m.requires)
	assert.Equal(t, "github.com/stretchr/testify", m.required("github.com/stretchr/testify/assert"))
	assert.Empty(t, m.required("github.com/stretchr/test"))

	for name, want := range map[string]string{"net/http": "http", "github.com/redis/go-redis/v9": "redis", "v9": "v9", "math/rand/v2": "rand"} {
		assert.Equal(t, want, nameOf(name), name)
	}
	for name, want := range map[string]bool{"testdata": true, "vendor": true, ".git": true, "_old": true, "internal": false} {
		assert.Equal(t, want, ignoredByGo(name), name)
	}
	_, err = newModule(map[string]string{"go.mod": goMod, "sip/a.go": "package"})
	assert.Error(t, err)
	_, err = readModule(t.TempDir())
	assert.Error(t, err)
}
