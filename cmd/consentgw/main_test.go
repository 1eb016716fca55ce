package main

import (
	"bytes"
	"cmp"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// asCommand makes the test binary behave as the command itself, for tests that
// need a process.
const asCommand = "CONSENTGW_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Unsetenv(asCommand)
		main()
	}
	goleak.VerifyTestMain(m)
}

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

func consentgw(t *testing.T, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), args, &stdout, &stderr)
	return result{code, stdout.String(), stderr.String()}
}

// commands lists the words of every command.
func commands(c *cobra.Command) (all [][]string) {
	path := strings.Fields(c.CommandPath())[1:]
	all = append(all, path)
	for _, sub := range c.Commands() {
		all = append(all, commands(sub)...)
	}
	return all
}

func TestEveryCommandExplainsItself(t *testing.T) {
	all := commands(command())
	require.Greater(t, len(all), 10)
	for _, path := range all {
		t.Run(strings.Join(append([]string{"consentgw"}, path...), " "), func(t *testing.T) {
			r := consentgw(t, append(path, "--help")...)
			require.Equal(t, exitOK, r.code)
			require.Empty(t, r.stderr)
			require.Contains(t, r.stdout, "Usage:\n  consentgw")
			c, _, err := command().Find(path)
			require.NoError(t, err)
			require.NotEmpty(t, c.Short)
			require.True(t, strings.HasPrefix(r.stdout, cmp.Or(c.Long, c.Short)), r.stdout)
			if c.Name() == "list" || c.Name() == "get" || c.Name() == "check" {
				require.Contains(t, r.stdout, "--json")
			}
		})
	}
}

func TestACommandThatHoldsOthersPrintsItsHelp(t *testing.T) {
	for _, args := range [][]string{{}, {"calls"}, {"consent"}} {
		r := consentgw(t, args...)
		assert.Equal(t, exitOK, r.code, args)
		assert.Contains(t, r.stdout, "Available Commands:", args)
		assert.Empty(t, r.stderr, args)
	}
	r := consentgw(t)
	assert.Contains(t, r.stdout, "Exit codes: 0 done, 1 failed or errors found, 2 wrong command line.")
}

func TestTheVersionIsPrinted(t *testing.T) {
	require.Equal(t, result{exitOK, "consentgw version " + version + "\n", ""}, consentgw(t, "--version"))
}

func TestAWrongCommandLineIsExitTwoAndSaysWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ args, want, help string }{
		{"seve", `unknown command "seve"; did you mean serve?`, "consentgw --help"},
		{"frobnicate", `unknown command "frobnicate"`, "consentgw --help"},
		{"calls lst", `unknown command "lst"; did you mean list?`, "consentgw calls --help"},
		{"calls list now", `unknown command "now"`, "consentgw calls list --help"},
		{"calls show", "CALL is missing", "consentgw calls show --help"},
		{"calls hangup a b", "want one CALL, not 2", "consentgw calls hangup --help"},
		{"consent get", "CALL is missing", "consentgw consent get --help"},
		{"consent withdraw", "RECORD is missing", "consentgw consent withdraw --help"},
		{"serve --confg x", "unknown flag: --confg", "consentgw serve --help"},
		{"serve --drain soon", `invalid argument "soon"`, "consentgw serve --help"},
		{"serve --drain -1s", "--drain is a time of 0 or more, not -1s", "consentgw serve --help"},
		{"serve x.yaml", `unknown command "x.yaml"`, "consentgw serve --help"},
		{"check -c", "flag needs an argument: 'c'", "consentgw check --help"},
		{"export --format xml", `--format is csv or jsonl, not "xml"`, "consentgw export --help"},
		{"export --from yesterday", `--from is no RFC 3339 time (2026-03-01T12:00:00Z) and no date (2026-03-01): "yesterday"`, "consentgw export --help"},
		{"export --to 2026-13-01", "--to is no RFC 3339 time", "consentgw export --help"},
		{"export --from 2026-03-02 --to 2026-03-01T23:59:59Z", "--from 2026-03-02 is not before --to 2026-03-01T23:59:59Z", "consentgw export --help"},
		{"demo --verbos", "unknown flag: --verbos", "consentgw demo --help"},
	} {
		t.Run(c.args, func(t *testing.T) {
			r := consentgw(t, strings.Fields(c.args)...)
			assert.Equal(t, exitUsage, r.code)
			assert.Empty(t, r.stdout)
			assert.Contains(t, r.stderr, "consentgw: ")
			assert.Contains(t, r.stderr, c.want)
			assert.Contains(t, r.stderr, "See "+c.help+".")
		})
	}
}

func TestAnEmptyNameIsNoName(t *testing.T) {
	require.Equal(t, exitUsage, consentgw(t, "consent", "get", "").code)
}

func TestADemonstrationThatIsInterruptedFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	code := run(ctx, []string{"demo", "--dir", t.TempDir()}, &stdout, &stderr)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr.String(), "context canceled")
	require.NotContains(t, stdout.String(), "held")
}
