package mutationtest

func ofKeys() []mutant {
	const gate, watch, keying, call = "internal/media/gate.go", "internal/media/watch.go", "internal/media/keying.go", "internal/call/keys.go"
	busy := killer{"internal/call", "TestTheGateIsShutAtTheLastKeyThoughTheCallIsBusy", ""}
	held := mediaTests("TestASequenceIsHeldBackUntilItIsDecided")
	return []mutant{
		{"the packet path does not shut the gate at the withdraw sequence", []edit{{watch, "w.Gate.stop(w.Sequences[i].Stop)", "w.Gate.stop(0)"}},
			[]killer{mediaTests("TestNoPacketIsCopiedAfterTheOneThatCompletesTheSequence"), busy}},
		{"the withdraw sequence shuts nothing by itself", []edit{{call, "add(keys.Withdraw, stopWithdrawn)", "add(keys.Withdraw, 0)"}}, []killer{busy}},
		{"what the packet path has shut, an open opens", []edit{
			{gate, "if g.state.Load()&(gateOpen|gateStopped) == gateOpen {", "if g.state.Load()&gateOpen != 0 {"},
			{gate, "if g.state.Add(1)&(gateOpen|gateStopped) == gateOpen && g.permit.Valid() {", "if g.state.Add(1)&gateOpen != 0 && g.permit.Valid() {"}},
			[]killer{mediaTests("TestATapStaysShutAsLongAsAStopIsNotHeeded")}},
		{"a shut forgets why the packet path had shut the gate", []edit{{gate, "g.state.CompareAndSwap(state, state|gateSettled):", "g.state.CompareAndSwap(state, gateSettled):"}},
			[]killer{mediaTests("TestATapStaysShutAsLongAsAStopIsNotHeeded")}},
		{"the call does not store what the packet path has shut the gate for", []edit{{"internal/call/call.go", "case <-c.tape.stops():\n\t\t\tc.stopped()", "case <-c.tape.stops():\n\t\t\tc.look()"},
			{call, "case withdrawKeys:\n\t\tif p == c.asked {", "case withdrawKeys:\n\t\tif p == c.agent {"}}, []killer{calls("withdraws-by-key")}},
		{"the withdraw sequence reaches the platform in the end", []edit{{watch, "w.line.drop(&s.keys.fates)", "w.line.held = 0"}},
			[]killer{held, calls("withdraws-by-key")}},
		{"keys that may begin a sequence are not held back", []edit{{keying, "k.held = min(k.held+1, begins)", "k.held = min(k.held, begins)"}},
			[]killer{held, calls("withdraws-by-key")}},
		{"keys for the question reach the platform", []edit{{watch, "case peer == nil:\n\t\treturn stays", "case peer == nil:\n\t\treturn goesOn"}},
			[]killer{mediaTests("TestAKeyThatBeganBeforeThereWasAPeerIsNotForItEither")}},
		{"the withdraw sequence reaches the platform by SIP INFO", []edit{{"internal/call/onward.go", "w.keys, w.due = nil, nil\n\t\t\treturn nil", "return w.release(len(w.keys))"}},
			[]killer{calls("withdraws-by-info")}},
	}
}
