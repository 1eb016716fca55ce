package sdp_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

func TestTheVersionStepsByOneAndOnlyWithAChange(t *testing.T) {
	offer := func(version uint64, change func(*sdp.Local)) *sdp.Session {
		l := local()
		l.Version = version
		change(&l)
		return sdp.NewOffer(l, g711())
	}
	same := func(*sdp.Local) {}
	hold := func(l *sdp.Local) { l.Direction = sdp.SendOnly }
	first := offer(7, same).After(nil)
	require.Equal(t, string(offer(7, same).Marshal()), string(first))

	again := offer(9, same).After(first)
	assert.Equal(t, string(first), string(again), "what says the same has the same version, whatever it was given")

	held := offer(7, hold).After(again)
	assert.Equal(t, string(offer(8, hold).Marshal()), string(held))
	assert.Equal(t, string(held), string(offer(1, hold).After(held)))

	resumed := offer(7, same).After(held)
	assert.Equal(t, string(offer(9, same).Marshal()), string(resumed), "back to what it was is a change as well")
}

func TestADescriptionAfterOneThatCannotBeReadIsAFirstOne(t *testing.T) {
	s := sdp.NewOffer(local(), g711())
	assert.Equal(t, string(s.Marshal()), string(s.After([]byte("noise"))))
}
