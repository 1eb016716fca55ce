package mutationtest

func storyTests(tests string) killer { return killer{"internal/call", tests, ""} }

// ofTheAgent are breaches by which the party that is not asked gets ahead of the
// one that is.
func ofTheAgent() []mutant {
	const ask, connect, outbound = "internal/call/question.go", "internal/call/connect.go", "internal/call/outbound.go"
	const tone = "c.speakTo(c.agent, c.agent.waitingTone())"
	press := edit{ask, "case p := <-q.asked.stream.Presses():", "case p := <-q.agent.stream.Presses():\n\t\t\tverdict = q.key(p)\n\t\tcase p := <-q.asked.stream.Presses():"}
	return []mutant{
		{"the agent's keys answer the question", []edit{press},
			[]killer{calls("outbound-agent-presses-yes"), calls("during-notice-agent-presses-yes")}},
		{"a callee who presses nothing has agreed", []edit{{outbound, "c.commit(decision)\n", "if decision.Outcome == consent.NoInput {\n\t\tdecision.Outcome = consent.Given\n\t}\n\tc.commit(decision)\n"}},
			[]killer{calls("outbound-voicemail|outbound-agent-presses-yes")}},
		{"the agent hears the callee before the decision", []edit{{outbound, tone, "c.asked.stream.RelayTo(c.agent.stream)"}},
			[]killer{calls("outbound-agrees|outbound-voicemail")}},
		{"the callee hears the agent before the decision", []edit{{outbound, tone, tone + "\n\tc.agent.stream.RelayTo(c.asked.stream)"}},
			[]killer{calls("outbound-agrees|outbound-voicemail")}},
		{"an agent dialed during the notice hears the caller before the decision", []edit{{connect, tone, "c.asked.stream.RelayTo(c.agent.stream)"}},
			[]killer{calls("during-notice-agrees|during-notice-silence")}},
		{"the caller hears an agent before the decision", []edit{{connect, tone, tone + "\n\t\tc.agent.stream.RelayTo(c.asked.stream)"}},
			[]killer{calls("during-notice-agrees|during-notice-silence")}},
		{"an agent dialed during the notice is put through before the decision", []edit{{connect, "case <-c.search.wanted:\n\tcase <-leg", "case <-ctx.Done():\n\tdefault:\n\tcase <-leg"}},
			[]killer{calls("during-notice-agrees|during-notice-silence")}},
		{"early media interrupts the question", []edit{{connect, "if c.search.isWanted() {", "if c.search != nil {"}},
			[]killer{calls("during-notice-early-media-and-silence")}},
	}
}

// ofTheInvitation are recorders that are asked too early, and a preference that
// is taken for what it is not.
func ofTheInvitation() []mutant {
	const recorder, pref = "internal/call/recorder.go", "internal/call/recordpref.go"
	asks := edit{recorder, "if !c.tape.permit.Valid() {\n\t\treturn\n\t}", ""}
	return []mutant{
		{"recorders are asked without a permit", []edit{asks}, []killer{storyTests("TestWithoutAStoredYesNoRecorderIsAsked")}},
		{"a recording server is invited without a permit", []edit{
			{"consent/permit.go", "{ return p.grant != nil && p.grant.inForce.Load()&p.of != 0 }", "{ return true }"}},
			[]killer{calls("siprec-refuses|prefers-a-recording")}},
		{"a preference for no recording is ignored", []edit{{pref, "[]string{prefersOff, prefersPause,", "[]string{prefersPause,"}},
			[]killer{storyTests("TestAPreferenceIsReadFromTheSessionAndItsAudio"), calls("prefers-no-recording")}},
		{"a wish to be recorded is a consent", []edit{{pref, "return c.asked.prefers == prefersOff }", "return c.asked.prefers == \"on\" }"},
			{"internal/call/ask.go", "return consent.Unwilling(c.now(), recordpref), nil", "d := consent.Unwilling(c.now(), recordpref)\n\t\td.Outcome = consent.Given\n\t\treturn d, nil"}},
			[]killer{calls("prefers-a-recording")}},
		{"a preference for no recording that comes later does not withdraw", []edit{{"internal/call/answer.go", "if c.unwilling() {", "if c.unwilling() && !c.tape.permit.Valid() {"}},
			[]killer{calls("prefers-no-recording-any-more")}},
	}
}

// ofTransfers are calls that go on with another agent.
func ofTransfers() []mutant {
	const transfer = "internal/call/transfer.go"
	return []mutant{
		{"the gate stays open while nobody is connected", []edit{{"internal/call/tape.go", "case c.pausedByTransfer():", "case c.pausedByTransfer() && c.asked.held():"}},
			[]killer{storyTests("TestAnAgentMayLeaveAsSoonAsTheTransferIsAccepted")}},
		{"a transferred call that was refused is recorded", []edit{{transfer, "c.rec.Call.Target, c.rec.Call.PlatformCallID = place, leg.CallID()", "c.rec.Call.Target, c.rec.Call.PlatformCallID = place, leg.CallID()\n\tc.record(c.asked.running)"},
			{"internal/call/recorder.go", "if !c.tape.permit.Valid() {\n\t\treturn\n\t}", ""}},
			[]killer{storyTests("TestARefusalGoesWithATransferAndNobodyIsAskedAgain")}},
		{"who is transferred is asked again", []edit{{transfer, "c.moving = false\n", "c.moving = false\n\tc.speak(c.prompt(prompts.Ask))\n"},
			{transfer, "\"consentgw/internal/target\"\n", "\"consentgw/internal/target\"\n\t\"consentgw/prompts\"\n"}},
			[]killer{storyTests("TestARefusalGoesWithATransferAndNobodyIsAskedAgain")}},
		{"a consent ends with a transfer", []edit{{transfer, "c.moving = false\n", "c.moving = false\n\tc.tape.permit.Revoke()\n"}},
			[]killer{storyTests("TestAnAgentTransfersTheCallAndTheConsentGoesWithIt")}},
		{"a REFER leads to anywhere", []edit{{transfer, "return []way{c.leadTo(lead)}, ok", "return []way{c.leadTo(lead)}, ok || lead.URI != \"\""}},
			[]killer{storyTests("TestATransferLeadsNowhereButToThePlatform")}},
		{"every host is one of the platform's", []edit{{"internal/target/lead.go", "return lead, slices.ContainsFunc(also, named)", "return lead, slices.ContainsFunc(also, named) || u.host != \"\""}},
			[]killer{{"internal/target", "TestACallIsLedToHostsOfThePlatformAndToNoOther", ""}}},
		{"a stranger takes a call over", []edit{{"internal/call/replace.go", "case !known:", "case !known && in == nil:"}},
			[]killer{storyTests("TestACallIsTakenOverByNobodyButThePlatform")}},
	}
}

// ofEncryption are streams that are less safe than was agreed.
func ofEncryption() []mutant {
	const sdp, secure = "internal/sdp/secure.go", "internal/call/secure.go"
	return []mutant{
		{"a side that requires encryption takes a call in clear", []edit{{sdp, "far.isPlainAudio() && l.SRTP != SRTPRequired", "far.isPlainAudio()"}},
			[]killer{{"internal/sdp", "TestAnOfferIsAnsweredAsThePolicyOfTheSideSays", ""}, {"internal/gateway", "TestASideThatRequiresSRTPTakesNoCallInClear", ""}}},
		{"an answer without keys means clear where encryption is required", []edit{
			{sdp, "if ours.isSecureAudio() && !far.isSecureAudio() {", "if ours.isSecureAudio() && far == nil {"},
			{sdp, "if len(far.Crypto) > 0 || far.isSecureAudio() || far.attribute(\"crypto\") != \"\" {", "if len(far.Crypto) > 0 {"}},
			[]killer{{"internal/sdp", "TestAnAnswerToKeysNeverMeansClearByMistake", ""},
				{"internal/gateway", "TestATargetThatAnswersInClearWhereSRTPIsRequiredIsNotTalkedTo", ""}}},
		{"an encrypted stream goes on in clear", []edit{
			{secure, "case s == nil:\n\t\treturn errDowngrade", "case s == nil:\n\t\tp.by, p.seal, p.open = nil, nil, nil\n\t\treturn nil"},
			{secure, "p.local.SRTP = sdp.SRTPRequired\n", ""}},
			[]killer{calls("srtp-optional-stays-encrypted")}},
		{"a packet that is not authentic counts", []edit{{"internal/media/secure.go", "s.in.sealed.Add(1)\n", "s.in.sealed.Add(1)\n\t\treturn data, true\n"}},
			[]killer{mediaTests("TestWhatIsNotAuthenticIsNotHeard")}},
		{"a packet that is sent again counts again", []edit{{"internal/media/srtp.go", "srtp.SRTPReplayProtection(replayWindow)", "srtp.SRTPNoReplayProtection()"}},
			[]killer{mediaTests("TestAPacketThatComesAgainIsNotHeardAgain")}},
	}
}

// ofNumbers are callers who withhold theirs.
func ofNumbers() []mutant {
	const present = "internal/call/present.go"
	return []mutant{
		{"a number that is withheld is stored", []edit{{"internal/call/identity.go", "if id.withheld {\n\t\treturn \"\"", "if id.withheld {\n\t\treturn id.number"}},
			[]killer{calls("number-withheld"), calls("number-withheld-from-all-but-the-platform")}},
		{"a number that is withheld is asserted to every platform", []edit{{present, "if told := !who.withheld || trusted; told {", "if told := true; told {"}},
			[]killer{calls("number-withheld")}},
		{"a number that is withheld stands in From", []edit{{present, "\tif who.withheld {\n", "\tif p.caller = c.route.from; who.withheld {\n"}},
			[]killer{calls("number-withheld")}},
		{"a number that is withheld is told to a trunk that is not trusted", []edit{{present, "if trusted && number != \"\" {", "if number != \"\" {"}},
			[]killer{storyTests("TestATrunkThatIsNotTrustedIsToldNoWithheldNumber")}},
	}
}
