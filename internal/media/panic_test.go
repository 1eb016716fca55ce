package media

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAPanicEndsTheStreamWhosePacketItWasAndNoOther(t *testing.T) {
	for name, cfg := range map[string]EngineConfig{"loops": {Loops: 1}, "plain": {Plain: true}} {
		t.Run(name, func(t *testing.T) {
			d := newDuel(t, NewEngine(cfg), false)
			bad := opened(t, d.a.ports)
			p := newPhone(t)
			bad.Connect(p.far())
			gate := openGate(t)
			bad.TapTo(NewTap(gate, 1, sinkFunc(func([]byte) bool { panic("a sink that fails") })))
			ended := make(chan error, 1)
			go func() { ended <- bad.Run(t.Context()) }()
			p.send(bad.Local(), p.voice(frameOf(1)))
			var failure *PanicError
			require.ErrorAs(t, <-ended, &failure)
			assert.Equal(t, "string", failure.Type)
			assert.NotContains(t, failure.Error(), "fails")
			gate.Shut() // returns: the copy has left the gate
			d.caller.send(d.a.Local(), d.caller.voice(frameOf(7)))
			assert.Equal(t, frameOf(7), d.callee.next().Payload)
		})
	}
}
