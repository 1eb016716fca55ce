package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// example is a file of testdata/config, by its full path.
func example(t *testing.T, name string) string {
	path, err := filepath.Abs(filepath.Join("..", "..", "testdata", "config", name))
	require.NoError(t, err)
	return path
}

func TestTheExampleConfigurationIsValid(t *testing.T) {
	file := example(t, "consentgw.yaml")
	t.Chdir(t.TempDir())
	r := consentgw(t, "check", "-c", file)
	require.Equal(t, exitOK, r.code, r.stdout)
	require.True(t, strings.HasSuffix(r.stdout, file+" is valid\n"), r.stdout)
	require.NotContains(t, r.stdout, "error:")
	require.Empty(t, r.stderr)
}

func TestTheDefaultsAreValid(t *testing.T) {
	t.Chdir(t.TempDir())
	r := consentgw(t, "check")
	require.Equal(t, exitOK, r.code, r.stdout)
	require.Contains(t, r.stdout, "default configuration is valid\n")
	left, err := os.ReadDir(".")
	require.NoError(t, err)
	require.Empty(t, left, "check leaves nothing behind")
}

func TestTwentyMistakesAreTwentyFindingsWithTheirPlaces(t *testing.T) {
	file := example(t, "bad20.yaml")
	r := consentgw(t, "check", "-c", file)
	require.Equal(t, exitFailed, r.code)
	require.Empty(t, r.stderr)
	place := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(file) + `:(\d+):(\d+): error: .+$`)
	assert.Len(t, place.FindAllString(r.stdout, -1), 20, r.stdout)
	assert.Contains(t, r.stdout, file+": errors: 20, warnings: 0\n")
	assert.NotContains(t, r.stdout, "is valid")
}

// findings is what check --json prints.
type findings struct {
	File     string
	Valid    bool
	Findings []finding
}

func TestFindingsAsJSON(t *testing.T) {
	file := example(t, "bad20.yaml")
	r := consentgw(t, "check", "--json", "-c", file)
	require.Equal(t, exitFailed, r.code)
	var got findings
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &got))
	require.False(t, got.Valid)
	require.Len(t, got.Findings, 20)
	for _, f := range got.Findings {
		assert.Equal(t, "error", f.Severity)
		assert.Equal(t, file, f.File)
		assert.NotZero(t, f.Line)
		assert.NotZero(t, f.Column)
		assert.NotEmpty(t, f.Text)
	}
}

func TestAValidConfigurationAsJSONHasAListEvenIfItIsEmpty(t *testing.T) {
	t.Chdir(t.TempDir())
	file := writeConfig(t, ".", "")
	r := consentgw(t, "check", "--json", "-c", file)
	require.Equal(t, exitOK, r.code, r.stdout)
	require.JSONEq(t, `{"file": "`+file+`", "valid": true, "findings": []}`, r.stdout)
}

func TestWhatCannotBeBoundJustNowIsAWarning(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	file := writeConfig(t, ".", l.Addr().String())
	r := consentgw(t, "check", "-c", file)
	require.Equal(t, exitOK, r.code, r.stdout)
	require.Contains(t, r.stdout, file+": warning: listen.api cannot be bound just now")
	require.Contains(t, r.stdout, file+" is valid\n")
}

func TestANoticeThatIsNotThereIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("CONSENTGW_PROMPTS_DIR", "nowhere")
	file := writeConfig(t, ".", "")
	require.NoError(t, os.RemoveAll("prompts"))
	r := consentgw(t, "check", "-c", file)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, file+": error: prompts")
	require.Contains(t, r.stdout, ": errors: 1, warnings: 0")
}

func TestAMistakeInAVariableNamesTheVariable(t *testing.T) {
	t.Setenv("CONSENTGW_LOG_LEVEL", "loud")
	r := consentgw(t, "check")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, "CONSENTGW_LOG_LEVEL: error: log.level")
	require.Contains(t, r.stdout, "default configuration: errors: 1, warnings: 0")
}

func TestAFileThatIsNotThere(t *testing.T) {
	for _, command := range []string{"check", "serve"} {
		r := consentgw(t, command, "-c", "nowhere.yaml")
		assert.Equal(t, exitFailed, r.code, command)
		assert.Contains(t, r.stdout+r.stderr, "nowhere.yaml: error: ", command)
		assert.Contains(t, r.stdout+r.stderr, "no such file", command)
	}
}

func TestServeDoesNotStartWithABadConfiguration(t *testing.T) {
	r := consentgw(t, "serve", "-c", example(t, "bad20.yaml"))
	require.Equal(t, exitFailed, r.code)
	require.Empty(t, r.stdout)
	require.Contains(t, r.stderr, ": errors: 20, warnings: 0\n")
}

func TestServeNamesTheAddressThatIsTaken(t *testing.T) {
	t.Chdir(t.TempDir())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	r := consentgw(t, "serve", "-c", writeConfig(t, ".", l.Addr().String()))
	require.Equal(t, exitFailed, r.code)
	require.Empty(t, r.stdout)
	require.Contains(t, r.stderr, "consentgw: listen.api: ")
	require.Contains(t, r.stderr, "address already in use")
}
