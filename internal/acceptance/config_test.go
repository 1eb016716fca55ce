package acceptance

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const exampleFile = "../../testdata/config/consentgw.yaml"

// contractFile is where the contract lies beside a checkout of its own; it is
// not part of the module.
const contractFile = "../../../shared/contract/consentgw.yaml"

func TestTheExampleIsTheContract(t *testing.T) {
	contract, err := os.ReadFile(contractFile)
	if os.IsNotExist(err) {
		return // nothing to compare with: the other tests use the example
	}
	require.NoError(t, err)
	require.Equal(t, string(contract), readFile(t, exampleFile))
}

func TestCheckAcceptsTheExampleAsItIs(t *testing.T) {
	needsReal(t)
	code, out, problems := run(t, "check", "-c", absolute(t, exampleFile))
	require.Zero(t, code, out+problems)
	require.Contains(t, out, "is valid")
	require.NotContains(t, out, "error")
}

// TestServeAcceptsTheExampleAsItIs runs the gateway on the ports of the example.
func TestServeAcceptsTheExampleAsItIs(t *testing.T) {
	needsReal(t)
	if addr := takenByOthers(); addr != "" {
		t.Logf("not run: somebody else listens on %s", addr)
		return
	}
	s := newSite(t, plan{})
	s.gateway = launch(t, t.TempDir(), "serve", "-c", absolute(t, exampleFile))
	s.gateway.ready(s.ctx)
	s.apiURL = "http://127.0.0.1:8080"
	code, body := s.get("/healthz")
	require.Equal(t, 200, code, body)
	code, body = s.get("/readyz")
	require.Equal(t, 200, code, body)
	s.answersOptions("127.0.0.1:5060")
	s.answersOptions("127.0.0.1:5070")
	s.stop()
}

// takenByOthers names a socket of the example that cannot be bound.
func takenByOthers() string {
	for _, addr := range []string{"127.0.0.1:5060", "127.0.0.1:5070", "127.0.0.1:5080", "127.0.0.1:8080"} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return "tcp:" + addr
		}
		l.Close()
		c, err := net.ListenPacket("udp", addr)
		if err != nil {
			return "udp:" + addr
		}
		c.Close()
	}
	return ""
}

// TestTwentyBadLinesAreTwentyFindings: each with its line and column, from both
// commands that read a configuration.
func TestTwentyBadLinesAreTwentyFindings(t *testing.T) {
	needsReal(t)
	file := absolute(t, "../../testdata/config/bad20.yaml")
	require.Len(t, strings.Split(strings.TrimSpace(readFile(t, file)), "\n"), 20)
	code, out, problems := run(t, "check", "-c", file)
	require.Equal(t, 1, code)
	require.Empty(t, problems)
	findings := errorLines(out)
	require.Len(t, findings, 20, out)
	for i, line := range findings {
		require.Regexp(t, "^"+regexp.QuoteMeta(file)+":"+strconv.Itoa(i+1)+`:\d+: error: .+`, line)
	}
	code, _, problems = run(t, "serve", "-c", file)
	require.Equal(t, 1, code)
	require.Equal(t, findings, errorLines(problems))
}

func errorLines(out string) (lines []string) {
	for line := range strings.Lines(out) {
		if strings.Contains(line, ": error: ") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func TestAWrongCommandLineIsExitCodeTwo(t *testing.T) {
	needsReal(t)
	for _, args := range [][]string{{"serve", "--no-such-flag"}, {"serve", "surplus"}, {"export", "--format", "xml"}, {"no-such-command"}} {
		code, out, problems := run(t, args...)
		require.Equal(t, 2, code, "%v: %s", args, out)
		require.NotEmpty(t, problems, args)
	}
}

func TestAPortThatIsTakenIsNamed(t *testing.T) {
	s := newSite(t, plan{})
	l, err := net.Listen("tcp", strings.TrimPrefix(s.apiURL, "http://"))
	require.NoError(t, err)
	defer l.Close()
	p := launch(t, s.dir, "serve", "-c", s.file)
	require.Equal(t, 1, p.ended(s.ctx))
	require.Contains(t, strings.Join(p.lines(), "\n"), l.Addr().String())
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	require.NoError(t, err)
	return path
}
