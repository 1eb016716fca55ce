package mutationtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// hunting says that the mutants are to be built and hunted.
	hunting = "CONSENTGW_MUTANTS"
	// real says that what is not installed is a failure and no reason to skip.
	real = "CONSENTGW_REQUIRE_REAL"
	// atOnce is how many mutants are hunted side by side.
	atOnce = 2
	// patience bounds one run of tests; what takes longer was not noticed by a
	// test but by a clock.
	patience = 120 * time.Second
)

func TestEveryMutantFitsTheSource(t *testing.T) {
	names := map[string]bool{}
	for _, m := range mutants() {
		t.Run(m.name, func(t *testing.T) {
			assert.False(t, names[m.name], "two mutants have this name")
			names[m.name] = true
			assert.NotEmpty(t, m.killers, "nothing is said to notice it")
			files, err := m.files(root(t))
			require.NoError(t, err)
			for name, text := range files {
				_, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
				assert.NoError(t, err)
			}
			for _, k := range m.killers {
				_, err := regexp.Compile(k.pattern())
				assert.NoError(t, err)
			}
		})
	}
}

func TestAMutantThatDoesNotFitIsNamed(t *testing.T) {
	for _, c := range []struct {
		name  string
		edits []edit
		want  string
	}{
		{"a text that is gone", []edit{{"go.mod", "module nowhere", ""}}, `go.mod: "module nowhere" occurs 0 times, not once`},
		{"a text that is there twice", []edit{{"go.mod", "require", ""}}, "times, not once"},
		{"a file that is gone", []edit{{"nowhere.go", "x", ""}}, "no such file"},
		{"a change that changes nothing", []edit{{"go.mod", "module consentgw", "module consentgw"}}, "changes nothing"},
	} {
		_, err := mutant{edits: c.edits}.files(root(t))
		assert.ErrorContains(t, err, c.want, c.name)
	}
}

// TestTheTestsCatchEveryMutant is the mutation test of the law.
func TestTheTestsCatchEveryMutant(t *testing.T) {
	if os.Getenv(hunting) != "1" {
		t.Skipf("takes minutes; %s=1 runs it", hunting)
	}
	free := make(chan struct{}, atOnce)
	hunt := func(m mutant, check func(*testing.T, killer, outcome)) {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			free <- struct{}{}
			defer func() { <-free }()
			overlay := m.overlay(t)
			for _, k := range m.killers {
				k.needs(t)
				check(t, k, k.test(t, overlay))
			}
		})
	}
	hunt(mutant{name: "without a mutant", killers: killers()}, func(t *testing.T, k killer, o outcome) {
		require.NoError(t, o.err, "%s fails on the source as it is: %s", k, o.text)
	})
	for _, m := range mutants() {
		hunt(m, func(t *testing.T, k killer, o outcome) {
			require.Error(t, o.err, "SURVIVED: %s, and %s notices nothing", m.name, k)
			require.NotEmpty(t, o.failed, "%s ended, but not by a test that failed: %v\n%s", k, o.err, o.text)
			t.Logf("noticed by %s of %s", o.failed, k.pkg)
		})
	}
}

// killers are those of all mutants, each test once.
func killers() (all []killer) {
	type group struct {
		pkg  string
		subs bool
	}
	tests, subtests := map[group][]string{}, map[group][]string{}
	for _, m := range mutants() {
		for _, k := range m.killers {
			g := group{k.pkg, k.subtests != ""}
			tests[g] = append(tests[g], strings.Split(k.tests, "|")...)
			subtests[g] = append(subtests[g], strings.Split(k.subtests, "|")...)
		}
	}
	union := func(names []string) string {
		slices.Sort(names)
		return strings.Join(slices.Compact(names), "|")
	}
	for g := range tests {
		all = append(all, killer{g.pkg, union(tests[g]), union(subtests[g])})
	}
	return all
}

// pattern is for go test -run.
func (k killer) pattern() string {
	if k.subtests == "" {
		return "^(" + k.tests + ")$"
	}
	return "^(" + k.tests + ")$/^(" + k.subtests + ")$"
}

func (k killer) String() string { return fmt.Sprintf("go test -run '%s' ./%s", k.pattern(), k.pkg) }

// needs skips what cannot be tested on this machine, unless it must be.
func (k killer) needs(t *testing.T) {
	if _, err := exec.LookPath("redis-server"); err != nil && k.pkg == "internal/redisstore" && os.Getenv(real) != "1" {
		t.Skip("redis-server is not installed")
	}
}

// files are the changed files with their new text.
func (m mutant) files(root string) (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		name := filepath.Join(root, filepath.FromSlash(e.file))
		text, changed := files[name]
		if !changed {
			b, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			text = string(b)
		}
		if n := strings.Count(text, e.old); n != 1 {
			return nil, fmt.Errorf("%s: %q occurs %d times, not once: the mutant must follow the source", e.file, e.old, n)
		}
		if e.old == e.new {
			return nil, fmt.Errorf("%s: the mutant changes nothing", e.file)
		}
		files[name] = strings.Replace(text, e.old, e.new, 1)
	}
	return files, nil
}

// overlay writes the changed files aside, and the file that lets go build see
// them in place of the real ones.
func (m mutant) overlay(t *testing.T) string {
	files, err := m.files(root(t))
	require.NoError(t, err)
	dir := t.TempDir()
	replace := map[string]string{}
	for name, text := range files {
		aside := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		require.NoError(t, os.WriteFile(aside, []byte(text), 0o600))
		replace[name] = aside
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	overlay := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlay, b, 0o600))
	return overlay
}

// outcome is what became of a run of tests.
type outcome struct {
	err    error
	failed string // the first test that failed, by name
	text   string
}

// test builds the tests of the package with the overlay and runs them. A mutant
// that does not compile proves nothing, so it ends the test.
func (k killer) test(t *testing.T, overlay string) outcome {
	// Without symbols, which nobody reads, the linker takes half the time.
	binary := filepath.Join(t.TempDir(), "tests")
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, "./"+k.pkg)
	build.Dir = root(t)
	text, err := build.CombinedOutput()
	require.NoError(t, err, "the mutant does not compile: %s", text)

	ctx, cancel := context.WithTimeoutCause(t.Context(), patience, errors.New("no test failed in time"))
	defer cancel()
	// Short: what waits for an event that a mutant prevents gives up soon.
	run := exec.CommandContext(ctx, binary, "-test.run", k.pattern(), "-test.failfast", "-test.short", "-test.timeout", patience.String())
	run.Dir = filepath.Join(root(t), filepath.FromSlash(k.pkg))
	text, err = run.CombinedOutput()
	require.NotContains(t, string(text), "testing: warning: no tests to run", "%s names no test", k)
	o := outcome{err: err, text: string(text)}
	if found := regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`).FindAllStringSubmatch(o.text, -1); found != nil {
		o.failed = found[len(found)-1][1] // the innermost comes last
	}
	return o
}

// root is the folder of the module.
func root(t *testing.T) string {
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	return dir
}
