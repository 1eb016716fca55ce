package acceptance

// A torture is what a message of RFC 4475 is answered with by UDP and by TCP,
// and why.
type torture struct{ udp, tcp, why string }

const (
	nothing = "nothing" // no answer
	closed  = "closed"  // the connection is closed, and an answer may get lost
)

// tortures says what RFC 4475 asks for, as far as it asks. Where it leaves a
// choice, the stricter one: what is malformed is answered 400, never repaired.
// On a stream, what cannot be parsed ends the connection: where the next
// message begins is not known any more (RFC 3261 section 18.3).
func tortures() map[string]torture {
	both := func(code, why string) torture { return torture{code, code, why} }
	malformed := func(why string) torture { return torture{"400", closed, why} }
	return map[string]torture{
		// 3.1.1, valid messages.
		"wsinv":      both("481", "3.1.1.1: white space wherever it may be; the To tag names a dialog that nobody knows"),
		"intmeth":    both("400", "3.1.1.2: an unknown method with quoted control characters, which are never carried on"),
		"esc01":      both("404", "3.1.1.3: escapes are no different characters, and nobody is routed there"),
		"escnull":    both("405", "3.1.1.4: an escaped NUL is valid; REGISTER is not offered"),
		"esc02":      both("405", "3.1.1.5: RE%47IST%45R is a method of its own, and unknown"),
		"lwsdisp":    both("200", "3.1.1.6: no white space between display name and <"),
		"longreq":    both("404", "3.1.1.7: long values are read whole, and nobody is routed there"),
		"dblreq":     {"405", closed, "3.1.1.8: what follows the first message of a datagram is ignored; on a stream it is a message, and this one is broken"},
		"semiuri":    both("200", "3.1.1.9: a semicolon in the user part is part of the user"),
		"transports": both("200", "3.1.1.10: unknown transports further down the Via are nobody's concern"),
		"mpart01":    both("405", "3.1.1.11: MESSAGE with a binary body; MESSAGE is not offered"),
		"unreason":   both(nothing, "3.1.1.12: a response that belongs to nothing"),
		"noreason":   both(nothing, "3.1.1.13: a response that belongs to nothing"),
		// 3.1.2, invalid messages.
		"badinv01":   malformed("3.1.2.1: extraneous separators"),
		"clerr":      {"400", nothing, "3.1.2.2: a datagram shorter than its Content-Length; a stream may still bring the rest"},
		"ncl":        malformed("3.1.2.3: a negative Content-Length"),
		"scalar02":   malformed("3.1.2.4: scalars beyond their range"),
		"scalarlg":   {nothing, closed, "3.1.2.5: a response with such scalars is dropped"},
		"quotbal":    malformed("3.1.2.6: a quote without its end"),
		"ltgtruri":   malformed("3.1.2.7: the request URI in <>"),
		"lwsruri":    malformed("3.1.2.8: white space within the request URI"),
		"lwsstart":   malformed("3.1.2.9: two blanks in the start line"),
		"trws":       malformed("3.1.2.10: blanks at the end of the start line"),
		"escruri":    both("400", "3.1.2.11: headers in the request URI"),
		"baddate":    both("404", "3.1.2.12: a bad Date is no reason to refuse, and nobody is routed there"),
		"regbadct":   both("405", "3.1.2.13: REGISTER is not offered, whatever its Contact"),
		"badaspec":   malformed("3.1.2.14: blanks within <>"),
		"baddn":      {"400", nothing, "3.1.2.15: a comma outside quotes; as the file has it, without the blank line that ends a message on a stream"},
		"badvers":    both("505", "3.1.2.16: SIP/7.0"),
		"mismatch01": both("400", "3.1.2.17: the method of start line and CSeq differ"),
		"mismatch02": both("400", "3.1.2.18: the same with an unknown method; RFC 4475 allows 501 as well"),
		"bigcode":    {nothing, closed, "3.1.2.19: a status code beyond its range is dropped"},
		// 3.2, the transaction layer.
		"badbranch": both("200", "3.2.1: a branch of the cookie alone is taken as that of RFC 2543"),
		// 3.3, the application layer.
		"insuf":    both("400", "3.3.1: no From, To, Call-ID"),
		"unkscm":   both("416", "3.3.2: an unknown scheme in the request URI"),
		"novelsc":  {"416", closed, "3.3.3: a scheme that is known, but not here"},
		"unksm2":   both("405", "3.3.4: unknown schemes elsewhere; REGISTER is not offered"),
		"bext01":   both("420", "3.3.5: Require with unknown options"),
		"invut":    both("415", "3.3.6: a body of unknown type"),
		"regaut01": both("405", "3.3.7: an unknown scheme of Authorization; REGISTER is not offered"),
		"multi01":  both("400", "3.3.8: fields twice that may stand once"),
		"mcl01":    {"400", closed, "3.3.9: two Content-Lengths"},
		"bcast":    both(nothing, "3.3.10: a response with another's Via"),
		"zeromf":   both("200", "3.3.11: Max-Forwards 0 is nothing to the one who is asked"),
		"cparam01": both("405", "3.3.12: REGISTER is not offered"),
		"cparam02": both("405", "3.3.13: REGISTER is not offered"),
		"regescrt": both("405", "3.3.14: REGISTER is not offered"),
		"sdp01":    both("406", "3.3.15: no answer that the caller would accept"),
		// 3.4, compatibility.
		"inv2543": {"400", closed, "3.4.1: neither branch nor From tag, as before RFC 3261, which is not spoken here"},
		// Of the module itself, not of RFC 4475.
		"test": {nothing, closed, "no Via, so nobody to answer"},
	}
}
