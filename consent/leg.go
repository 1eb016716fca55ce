package consent

// Legs are the two sides of a call, as far as media came or went.
type Legs struct {
	Trunk    *Leg `json:"trunk,omitempty"`
	Platform *Leg `json:"platform,omitempty"`
}

// Leg is how the media of one side was carried, up to the version of the record.
type Leg struct {
	// SRTP is the crypto suite by which the media was encrypted and authenticated,
	// such as AES_CM_128_HMAC_SHA1_80; empty: it went in clear.
	SRTP     string  `json:"srtp,omitempty"`
	Received uint64  `json:"packets_received"`
	Sent     uint64  `json:"packets_sent"`
	Lost     uint64  `json:"packets_lost"` // of those that were to be received
	JitterMS float64 `json:"jitter_ms"`    // RFC 3550 section 6.4.1
	// RoundTripMS is measured by RTCP; 0: the far end does not answer.
	RoundTripMS float64 `json:"round_trip_ms,omitempty"`
	// MOS is the opinion score that the E-model estimates for what was received, 1
	// to 4.5; 0: nothing was.
	MOS float64 `json:"mos,omitempty"`
}

func (l Legs) clone() Legs {
	for _, leg := range []**Leg{&l.Trunk, &l.Platform} {
		if *leg != nil {
			c := **leg
			*leg = &c
		}
	}
	return l
}
