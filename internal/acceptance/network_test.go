package acceptance

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"consentgw/internal/storetest"

	"github.com/stretchr/testify/require"
)

const (
	// networkVariable says that a test runs in a network of its own.
	networkVariable = "CONSENTGW_OWN_NETWORK"
	// ownAddress is the address of that network, from the range for tests of
	// network devices (RFC 2544).
	ownAddress = "198.18.0.1"
)

// inOwnNetwork runs the test once more in a network namespace that ends with
// it, because softphones refuse to speak on loopback, and reports whether this
// is the one inside. The namespace has one interface with one address.
func inOwnNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(networkVariable) == "1" {
		return true
	}
	if err := namespaceAllowed(); err != nil {
		// .ci/run finds the same out by itself, and lets the test be skipped then.
		t.Skipf("no network namespace may be made here: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "5m")
	cmd.Env = append(os.Environ(), networkVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // whose end would be that of the child
	defer runtime.UnlockOSThread()
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "_test.go:") {
			t.Log(strings.TrimSpace(line))
		}
	}
	return false
}

func namespaceAllowed() error {
	cmd := exec.Command("ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	return cmd.Run()
}

// raiseNetwork gives the namespace its interfaces. The test may only run inside.
func raiseNetwork(t *testing.T) {
	t.Helper()
	for _, args := range []string{
		"link set lo up", "link add cgw0 type veth peer name cgw1", "addr add " + ownAddress + "/24 dev cgw0",
		"link set cgw0 up", "link set cgw1 up",
		"route add default dev cgw0", // without one linphone takes the network for down
	} {
		out, err := exec.Command("ip", strings.Fields(args)...).CombinedOutput()
		require.NoError(t, err, "ip %s: %s", args, out)
	}
}

// needs skips a test, or fails it if the environment says so, where one of the
// programs is not installed.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, name := range programs {
		_, err := exec.LookPath(name)
		switch {
		case err == nil:
		case os.Getenv(storetest.RequireReal) == "1":
			t.Fatalf("%s is not installed, and %s=1", name, storetest.RequireReal)
		default:
			t.Skipf("%s is not installed", name)
		}
	}
}
