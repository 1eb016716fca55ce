package mutationtest

// ofPurposes are breaches between purposes: what is said to one question counts
// for its purposes and for no others.
func ofPurposes() []mutant {
	const interview, decision, permit = "consent/interview.go", "consent/decision.go", "consent/permit.go"
	const recorder, purposes, question, hearing = "internal/call/recorder.go", "internal/call/purposes.go", "internal/call/question.go", "internal/call/hearing.go"
	narrow := edit{permit, "p.of &= bits(p.grant.purposes, purposes)", "p.of |= bits(p.grant.purposes, purposes)"}
	return []mutant{
		{"a yes to one purpose opens the recorder of another", []edit{narrow,
			{recorder, "return g.Granted && slices.Contains(r.Purposes, g.Purpose)", "return slices.Contains(r.Purposes, g.Purpose)"}},
			[]killer{calls("purposes-choose-each|purposes-each-silence")}},
		{"a permit for one purpose holds for all", []edit{narrow},
			[]killer{law("TestOnePurposeCanBeTakenBack|TestAPurposeIsGrantedExactlyByItsOwnYes"), calls("purposes-one-withdrawn")}},
		{"a yes to one purpose is a yes to all", []edit{{interview, "for _, p := range q.Purposes {", "for _, p := range i.policy.Purposes {"}},
			[]killer{law("TestRefusingOnePurposeRefusesNothingElse")}},
		{"silence on one purpose is a yes", []edit{{decision, "g.Granted = g.Outcome == Given", "g.Granted = g.Outcome == Given || g.Outcome == NoInput && d.Outcome == Given"}},
			[]killer{law("TestRefusingOnePurposeRefusesNothingElse"), calls("purposes-each-silence")}},
		{"who leaves in the middle has agreed to what was asked before", []edit{{decision, "if g.Outcome == Given {\n\t\tg.Outcome = d.Outcome\n\t}\n", ""}},
			[]killer{law("TestWhoLeavesInTheMiddleHasAgreedToNothing|TestAPurposeIsGrantedExactlyByItsOwnYes"), calls("purposes-each-hangs-up")}},
		{"to choose is to agree", []edit{{decision, "case c.Kind == Yes:", "case c.Kind == Yes || c.Kind == Choosing:"}},
			[]killer{law("TestChoosingIsNeverConsent")}},
		{"a key that was pressed for one question counts for the next", []edit{{question, "if !q.asked.fresh(p) || p.At.Before(q.openedAt) {", "if !q.asked.fresh(p) {"}},
			[]killer{storyTests("TestAKeyCountsForTheQuestionThatWasOpen")}},
		{"a yes counts before its own question was heard", []edit{{question, "informed := !q.heardAt.IsZero() && !p.At.Before(q.heardAt)", "informed := !p.At.Before(q.openedAt)"}},
			[]killer{storyTests("TestAKeyCountsForTheQuestionThatWasOpen")}},
		{"a question counts as heard without what informs", []edit{{hearing, "parts = append(parts, prompts.About)", "parts = append(parts[:0], prompts.About)[:0]"}},
			[]killer{calls("purposes-choose-yes|purposes-each-silence")}},
		{"a purpose that is withdrawn is recorded all the same", []edit{{purposes, "c.tape.permit.RevokeFor(purposes)\n", ""}, {purposes, "o.gate.Shut()", "_ = o.gate"}},
			[]killer{calls("purposes-one-withdrawn|purposes-withdrawn-in-turn")}},
		{"a recorder is invited for a purpose that was taken back", []edit{{purposes, "if !a.permit.Valid() {", "if a.giveUp == nil {"}},
			[]killer{calls("purposes-withdrawn-while-invited")}},
		{"a purpose that was taken back elsewhere is overwritten", []edit{{"consent/history.go", "if g.Outcome == Withdrawn && r.Has(g.Purpose) {", "if g.Outcome == Refused && r.Has(g.Purpose) {"}},
			[]killer{law("TestAPurposeThatAnotherWriterTookBackStaysTakenBack")}},
	}
}
