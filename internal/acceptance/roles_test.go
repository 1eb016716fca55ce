package acceptance

import (
	"fmt"
	"strconv"
	"sync"
	"testing"

	"consentgw/internal/phone"

	"github.com/stretchr/testify/require"
)

// TestSIPpChangesTheCallAsCaller: hold, no media, another law, UPDATE and OPTIONS
// within the dialog, from a caller whose answers SIPp checks.
func TestSIPpChangesTheCallAsCaller(t *testing.T) {
	const count = 20
	s := newSite(t, plan{edits: plainRoute()})
	s.start()
	s.openCenter()
	s.runSIPp("changing-caller", s.trunk, "-i", "127.0.0.1", "-mi", "127.0.0.1", "-p", portOf(freePort(t)), "-mp", strconv.Itoa(callerMedia),
		"-s", plainNumber, "-cid_str", "changing-%u@caller.test", "-m", strconv.Itoa(count), "-r", "10", "-l", "5").wait(s)
	for i := range count {
		r := s.finished(fmt.Sprintf("changing-%d@caller.test", i+1))
		require.Equal(t, "caller hung up", r.Call.EndCause)
	}
	s.idle(1e9)
}

// TestSIPpChangesTheCallAsPlatform: a reliable 183 and PRACK, hold, UPDATE and BYE
// from a contact center whose answers SIPp checks.
func TestSIPpChangesTheCallAsPlatform(t *testing.T) {
	const count = 20
	s := newSite(t, plan{edits: plainRoute()})
	s.start()
	p := s.openPhone()
	host, port := "127.0.0.1", portOf(s.targets[0])
	platform := s.runSIPp("changing-platform", "-i", host, "-mi", host, "-p", port, "-mp", strconv.Itoa(platformMedia), "-m", strconv.Itoa(count))
	s.poll("SIPp to listen", func() bool { return listens(s.targets[0]) })
	var calls sync.WaitGroup
	failed := make(chan error, count)
	for i := range count {
		calls.Go(func() {
			line, err := p.Call(s.ctx, phone.Dial{Target: "sip:" + s.trunk, Caller: callerNumber, Called: plainNumber, CallID: fmt.Sprintf("changed-%d", i)})
			if err != nil {
				failed <- err
				return
			}
			select {
			case <-line.Ended(): // by the contact center
			case <-s.ctx.Done():
			}
			line.Drop()
		})
	}
	calls.Wait()
	close(failed)
	for err := range failed {
		require.NoError(t, err)
	}
	platform.wait(s)
	for i := range count {
		require.Equal(t, "agent hung up", s.finished(fmt.Sprintf("changed-%d", i)).Call.EndCause)
	}
	s.idle(1e9)
}
