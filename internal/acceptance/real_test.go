package acceptance

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	// What the program is made of: the go command must not take the result of
	// an older build for that of this one.
	_ "consentgw/internal/demo"
	_ "consentgw/internal/gateway"
	"consentgw/internal/storetest"

	"go.uber.org/goleak"
)

// binaryVariable names the program under test, given or built.
const binaryVariable = "CONSENTGW_BINARY"

// TestMain builds the program once if its tests can run here, and fails if they
// leave a goroutine behind. Tests that run beside each other mostly wait for
// their events, so more of them do than there are processors.
func TestMain(m *testing.M) {
	flag.Parse()
	if os.Getenv(networkVariable) == "1" {
		flag.Set("test.parallel", "4") // each with two softphones, and beside the others
	} else {
		flag.Set("test.parallel", "8")
	}
	goleak.VerifyTestMain(built{m})
}

// built runs tests with a binary.
type built struct{ tests *testing.M }

func (b built) Run() int {
	if missing() != "" || os.Getenv(binaryVariable) != "" {
		return b.tests.Run()
	}
	dir, err := os.MkdirTemp("", "consentgw")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if _, err := os.ReadDir("../../cmd/consentgw"); err != nil { // looked at, for the same reason
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary := filepath.Join(dir, "consentgw")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "consentgw/cmd/consentgw").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv(binaryVariable, binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return b.tests.Run()
}

// missing names a program that the tests need and that is not installed.
func missing() string {
	for _, name := range []string{"sipp", "redis-server"} {
		if _, err := exec.LookPath(name); err != nil {
			return name
		}
	}
	return ""
}

// needsReal skips a test, or fails it if the environment says so, where the
// programs around the gateway are not installed.
func needsReal(t *testing.T) {
	name := missing()
	switch {
	case name == "":
	case os.Getenv(storetest.RequireReal) == "1":
		t.Fatalf("%s is not installed, and %s=1", name, storetest.RequireReal)
	default:
		t.Skipf("%s is not installed", name)
	}
}

// needsRaw does the same where SIPp may not open the raw sockets by which it
// sends RTP.
func needsRaw(t *testing.T) {
	switch {
	case rawAllowed():
	case os.Getenv(storetest.RequireReal) == "1":
		t.Fatalf("no raw sockets, by which SIPp sends RTP, and %s=1", storetest.RequireReal)
	default:
		t.Skip("no raw sockets, by which SIPp sends RTP: they are for root")
	}
}

func rawAllowed() bool {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_RAW, syscall.IPPROTO_UDP)
	if err != nil {
		return false
	}
	syscall.Close(fd)
	return true
}
