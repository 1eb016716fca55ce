package mutationtest

func ofKeys() []mutant {
	const gate, brake = "internal/media/gate.go", "internal/media/brake.go"
	const watch, keying, call = "internal/media/watch.go", "internal/media/keying.go", "internal/call/keys.go"
	busy := killer{"internal/call", "TestTheGatesAreShutAtTheLastKeyThoughTheCallIsBusy", ""}
	held := mediaTests("TestASequenceIsHeldBackUntilItIsDecided")
	return []mutant{
		{"the packet path does not shut the gate at the withdraw sequence", []edit{{watch, "w.Brake.put(w.Sequences[i].Stop)", "w.Brake.put(0)"}},
			[]killer{mediaTests("TestNoPacketIsCopiedAfterTheOneThatCompletesTheSequence"), busy}},
		{"the withdraw sequence shuts nothing by itself", []edit{{call, "add(keys.Withdraw, stopWithdrawn)", "add(keys.Withdraw, 0)"}}, []killer{busy}},
		{"what the packet path has shut, an open opens", []edit{
			{gate, "g.permit.Valid() && g.brake.off() {", "g.permit.Valid() {"}},
			[]killer{mediaTests("TestNothingPassesAsLongAsTheBrakeIsOn")}},
		{"a brake that nobody heeded is off", []edit{{brake, "b.on.And(^uint32(why))", "b.on.Store(0)"}},
			[]killer{mediaTests("TestNothingPassesAsLongAsTheBrakeIsOn")}},
		{"the gate of a recorder has no brake", []edit{{"internal/call/recorder.go", "media.NewGate(take.Permit).Under(c.tape.brake)", "media.NewGate(take.Permit)"}}, []killer{busy}},
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
