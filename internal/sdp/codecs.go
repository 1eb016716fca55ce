package sdp

// G722 is 7 kHz audio in 64 kbit/s under its static payload type. Its clock
// says 8000 (RFC 3551 4.5.2).
func G722() Codec { return Codec{PT: 9, Name: "G722", Rate: 8000, Channels: 1} }

// Opus is RFC 7587 under the payload type that most of the world gives it: two
// channels in name, whatever its packets hold.
func Opus() Codec { return Codec{PT: 111, Name: "OPUS", Rate: 48000, Channels: 2} }

// Event is telephone-event at a clock rate, under the payload type given.
func Event(rate int, pt uint8) Codec {
	return Codec{PT: pt, Name: eventName, Rate: rate, Channels: 1, Fmtp: defaultEvents}
}
