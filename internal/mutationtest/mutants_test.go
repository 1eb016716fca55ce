package mutationtest

// mutant is one way to break the law.
type mutant struct {
	name  string // what the gateway would do, in words
	edits []edit
	// killers must each fail on a build with the mutant.
	killers []killer
}

// edit replaces a text that occurs exactly once in a file.
type edit struct{ file, old, new string }

// killer names tests of a package, and maybe subtests of them. Names are parted
// by "|"; any one of them is enough to notice.
type killer struct{ pkg, tests, subtests string }

// calls are call scripts, played end to end by real phones.
func calls(scripts string) killer { return killer{"internal/gateway", "TestCalls", scripts} }

func law(tests string) killer { return killer{"consent", tests, ""} }

func mediaTests(tests string) killer { return killer{"internal/media", tests, ""} }

// contract is what every store is held against.
func contract(pkg string) killer { return killer{pkg, "TestContract", "put"} }

// mutants lists all of them. The law has several lines of defence: behind a gate
// that does not ask stands a recorder that does. So a mutant of one line is
// caught by the tests of its own package, and those of several lines at once by
// real calls.
func mutants() (all []mutant) {
	for _, some := range [][]mutant{ofTheGate(), ofThePermit(), ofTheDecision(), ofTheCall(), ofTheEvidence(),
		ofTheAgent(), ofTheInvitation(), ofTransfers(), ofKeys(), ofEncryption(), ofNumbers(), ofPurposes()} {
		all = append(all, some...)
	}
	return all
}

func ofTheGate() []mutant {
	const gate, tap = "internal/media/gate.go", "internal/media/tap.go"
	asks := edit{gate, "if g.state.Add(1)&gateOpen != 0 && g.permit.Valid() && g.brake.off() {", "if g.state.Add(1)&gateOpen != 0 {"}
	shuts := edit{gate, "g.state.And(^uint64(gateOpen))", "g.state.And(^uint64(0))"}
	return []mutant{
		{"the gate ignores the permit", []edit{asks},
			[]killer{mediaTests("TestARevokedPermitClosesAnOpenGate|TestCopiesLeaveOnlyWhileOpenAndValid")}},
		{"the gate ignores the permit, and a withdrawal does nothing else", []edit{asks, shuts},
			[]killer{calls("withdraws-by-key|withdraws-by-api")}},
		{"the gate lets everything pass", []edit{{gate, "if g.state.Load()&gateOpen != 0 {\n\t\tif g.state.Add(1)&gateOpen != 0 && g.permit.Valid() && g.brake.off() {",
			"if g != nil {\n\t\tif g.state.Add(1) > 0 {"}},
			[]killer{mediaTests("TestARevokedPermitClosesAnOpenGate"), calls("holds|pauses|withdraws-by-key")}},
		{"the gate opens without a permit", []edit{
			{gate, "if !g.permit.Valid() {\n\t\treturn false\n\t}\n\tfor {", "for {"},
			{gate, "if g.permit.Valid() {\n\t\treturn g.brake.off()\n\t}\n\tg.Shut() // revoked just now\n\treturn false", "return true"}},
			[]killer{mediaTests("TestAGateOpensOnlyForAValidPermit")}},
		{"shutting the gate does nothing", []edit{shuts},
			[]killer{mediaTests("TestAHoldShutsAndReopensUnderTheSamePermit"), calls("holds|pauses")}},
		{"shutting the gate does not wait for the copy that is on its way", []edit{{gate, shuts.old, shuts.old + "\n\tif g != nil {\n\t\treturn\n\t}"}},
			[]killer{mediaTests("TestShutWaitsForTheCopyThatIsOnItsWay")}},
		{"nobody looks whether a copy should have left", []edit{{gate, "g.violations.Add(1)", "g.violations.Add(0)"}},
			[]killer{mediaTests("TestASecondLookSeesWhatAGateThatDoesNotAskLetThrough")}},
		{"the keys are copied to the recorder", []edit{{tap, "case (h.what == event || h.key) && !t.keys:", "case (h.what == event || h.key) && t.keys:"}},
			[]killer{mediaTests("TestKeysNeverReachARecorder"), calls("keys-not-recorded")}},
	}
}

func ofThePermit() []mutant {
	const permit, commit, recorder = "consent/permit.go", "consent/commit.go", "internal/rtprecorder/recorder.go"
	always := edit{permit, "{ return p.grant != nil && p.grant.inForce.Load()&p.of != 0 }", "{ return true }"}
	return []mutant{
		{"every permit is valid", []edit{always}, []killer{law("TestTheZeroPermitPermitsNothing")}},
		{"nobody asks for a permit", []edit{always},
			[]killer{calls("refuses|silence|notice-incomplete")}},
		{"a revoked permit is valid", []edit{{permit, "p.grant.inForce.Store(0)", "p.grant.inForce.Load()"}},
			[]killer{law("TestCopiesOfAPermitShareOneFate")}},
		{"a yes that the store refused is a permit", []edit{{commit, "s.Put(ctx, r.Clone()); err != nil {", "s.Put(ctx, r.Clone()); err != nil && d.Outcome != Given {"}},
			[]killer{law("TestAPermitComesOnlyOfAGivenDecisionThatIsStored"), calls("store-down|store-keeps-but-says-no")}},
		{"a yes that the store did not confirm in time is a permit", []edit{{commit, "s.Put(ctx, r.Clone()); err != nil {", "s.Put(ctx, r.Clone()); err != nil && ctx.Err() == nil {"}},
			[]killer{law("TestAPermitComesOnlyOfAGivenDecisionThatIsStored"), calls("store-never-answers")}},
		{"a refusal is a permit", []edit{{commit, "if d.Outcome != Given {", "if d.Outcome == Pending {"}},
			[]killer{law("TestAPermitComesOnlyOfAGivenDecisionThatIsStored")}},
		{"a recorder is opened without a permit", []edit{{recorder, "if !permit.Valid() {", "if !permit.Valid() && gate == nil {"}},
			[]killer{{"internal/rtprecorder", "TestARecordingNeedsAPermitThatIsInForce", ""}}},
		{"a recorder is opened behind the gate of another call", []edit{{recorder, "if gate == nil || !gate.StandsOn(permit) {", "if gate == nil {"}},
			[]killer{{"internal/rtprecorder", "TestARecordingNeedsAPermitThatIsInForce", ""}}},
	}
}

func ofTheDecision() []mutant {
	const decision, asking, hearing = "consent/decision.go", "consent/asking.go", "internal/call/hearing.go"
	const player, source = "internal/media/player.go", "internal/media/source.go"
	return []mutant{
		{"a yes counts although the notice was not heard to its end", []edit{{decision, "case !heard.Complete:", "case !heard.Complete && c.Kind != Yes:"}},
			[]killer{law("TestDecideAppliesTheLaw|TestConsentIsGivenExactlyByAYesAfterACompleteNotice")}},
		{"silence is a yes", []edit{{decision, "case c.Kind == Yes:", "case c.Kind == Yes || c.Kind == Silence:"}},
			[]killer{law("TestDecideAppliesTheLaw|TestConsentIsGivenExactlyByAYesAfterACompleteNotice")}},
		{"a yes counts before the notice has been heard", []edit{{asking, "case p.Key == a.keys.Yes && heard:", "case p.Key == a.keys.Yes:"},
			{asking, "\tcase p.Key == a.keys.Yes:\n\t\treturn Ignore\n", ""}},
			[]killer{law("TestEveryKeyAtEveryMoment"), calls("yes-during-the-notice")}},
		{"any key is a yes", []edit{{asking, "case p.Key == a.keys.Yes && heard:", "case p.Key != a.keys.Repeat && heard:"}},
			[]killer{law("TestEveryKeyAtEveryMoment")}},
		{"two keys at once are a yes", []edit{{asking, "return a.fail(Choice{Kind: Ambiguous, Press: p})", "return SettleIt"}},
			[]killer{law("TestEveryKeyAtEveryMoment"), calls("two-keys-at-once")}},
		{"a question without an answer can be given", []edit{{decision, "if o == Given || o == Pending {", "if o == Pending {"}},
			[]killer{law("TestAnUndecidedQuestionIsNeverConsent")}},
		{"a notice that was cut off counts as heard", []edit{{player, "time.Until(p.due)); err != nil {", "time.Until(p.due)); err != nil {\n\t\t\tp.played.Complete = true"}, {player, "p.played.Complete = !p.missed", "p.played.Complete = true"}},
			[]killer{mediaTests("TestANoticeEndsWithItsCauseAndSaysHowMuchWasHeard"), calls("notice-incomplete")}},
		{"the call takes every notice for heard", []edit{{hearing, "s.Complete = s.Complete || r.Complete", "s.Complete = true"}},
			[]killer{calls("notice-incomplete")}},
		{"keys from any address count", []edit{{source, "return from == s.locked", "return true"}},
			[]killer{mediaTests("TestOnlyTheAgreedOrLearnedSourceIsBelieved"), calls("stranger-presses-yes")}},
	}
}

func ofTheCall() []mutant {
	const tape, keys, onward = "internal/call/tape.go", "internal/call/keys.go", "internal/call/onward.go"
	return []mutant{
		{"a withdrawal is stored and the gate stays open", []edit{{tape, "c.stopTape()\n\tc.rec.Withdraw(c.now(), method)", "c.rec.Withdraw(c.now(), method)"}},
			[]killer{calls("withdraws-by-key|withdraws-by-api")}},
		{"a withdrawal is stored before the gate is shut", []edit{{tape, "c.stopTape()\n\tc.rec.Withdraw(c.now(), method)", "c.rec.Withdraw(c.now(), method)\n\tc.stopTape()"}},
			[]killer{calls("withdraws-by-key|withdraws-by-api")}},
		{"a hold does not shut the gate", []edit{{tape, "case c.asked.held() || c.agent.held():", "case c.asked.held() && c.pausedByTransfer():"}},
			[]killer{calls("holds")}},
		{"a pause does not shut the gate", []edit{{tape, "return c.tape.pause.by\n", "return \"\"\n"}},
			[]killer{calls("pauses"), calls("pauses-by-key|pauses-by-header")}},
		{"star nine does nothing", []edit{{keys, "if p == c.asked {\n\t\t\tc.withdraw(byKey)", "if p == c.asked {\n\t\t\tc.publish()"}}, []killer{calls("withdraws-by-info")}},
		{"the agent's keys withdraw", []edit{{keys, "if p == c.asked {\n\t\t\tc.withdraw", "if p != nil {\n\t\t\tc.withdraw"}},
			[]killer{calls("agent-presses-the-keys")}},
		{"the agent's SIP INFO counts", []edit{{onward, "case p.info <- press:", "case c.asked.info <- press:"}},
			[]killer{calls("agent-presses-by-info"), calls("outbound-agent-presses-yes|during-notice-agent-presses-yes")}},
		{"the platform is told of a recording that nobody permitted", []edit{{"internal/call/present.go", "if c.tape.permit.Valid() && len(c.wanted()) > 0 {", "if len(c.route.recorders) > 0 {"}},
			[]killer{calls("refuses")}},
		{"the caller's number is logged", []edit{{"internal/call/admit.go", "c.log.Info(\"call admitted\", ", "c.log.Info(\"call admitted\", \"caller\", c.rec.Subject, "}},
			[]killer{calls("abandons")}},
	}
}

func ofTheEvidence() []mutant {
	const history, bolt, redis = "consent/history.go", "internal/boltstore/store.go", "internal/redisstore/write.go"
	return []mutant{
		{"a record claims a recording that nobody can prove", []edit{{history, "if rec.FirstPacketAt.IsZero() {", "if rec.Recorder == \"\" {"}},
			[]killer{law("TestCutOffClaimsOnlyWhatWasEvidenced")}},
		{"a withdrawal elsewhere is overwritten", []edit{{history, "if other.Withdrawal != nil && r.Outcome != Withdrawn {", "if other.Withdrawal != nil && r.Outcome == Refused {"}},
			[]killer{law("TestMergeTakesOverWhatAnotherWriterDid")}},
		{"a consent that was withdrawn is still granted to platforms", []edit{{"consent/outcome.go", "return StatusWithdrawn", "return StatusGranted"}},
			[]killer{law("TestAPlatformIsToldWhatTheOutcomeMeans")}},
		{"a record counts as given without the store", []edit{{history, "d.Outcome = unstored(d.Outcome)", "d.Outcome = d.Outcome + \"\""}},
			[]killer{law("TestDecideWithoutTheStoreGrantsNothing")}},
		{"the embedded store takes an older version over a newer", []edit{{bolt, "case held.record.Epoch > next.record.Epoch:", "case held.record == nil:"}},
			[]killer{contract("internal/boltstore")}},
		{"the embedded store takes another writer's version", []edit{{bolt, "case held.record.Writer != next.record.Writer:", "case held.record == nil:"}},
			[]killer{contract("internal/boltstore")}},
		{"Redis takes an older version over a newer", []edit{{redis, "if #held_epoch > #epoch or (#held_epoch == #epoch and held_epoch > epoch) then return 'stale' end", ""}},
			[]killer{contract("internal/redisstore")}},
		{"Redis takes another writer's version", []edit{{redis, "if held_writer ~= writer then return 'conflict' end", ""}},
			[]killer{contract("internal/redisstore")}},
	}
}
