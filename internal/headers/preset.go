package headers

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Consent is what a platform is told of the consent (design 5.3). No field may
// hold a number or a name. They are the gateway's own words and not checked.
type Consent struct {
	Status    string // "granted", "denied" or "unknown"
	RecordID  string // a UUID
	Outcome   string
	Language  string // of the notice; empty if there was none
	Recording string // "on" or "off"
	CallID    string // of the trunk leg
	// Purposes are those that were granted, divided by commas, if they could be
	// answered for one by one; else empty.
	Purposes string
}

// Preset is how one kind of platform wants to be told.
type Preset struct {
	Name string
	// UUI says that User-to-User is sent unless the configuration says otherwise,
	// NoUUI that the platform cannot read it.
	UUI, NoUUI bool
	uui        func(data string) Field
	// reserved are beginnings of header names, in small letters, that the
	// platform keeps for itself; only, if it is not empty, is the beginning of all
	// that it reads.
	reserved []string
	only     string
}

// presets are the platforms with rules of their own.
func presets() []Preset {
	return []Preset{
		{Name: "generic", uui: isdn},
		// It drops the first octet of a User-to-User without pd, takes hex for 7-bit
		// text only, and discards all User-to-User if there are two.
		{Name: "genesys", uui: discriminated, UUI: true, reserved: []string{"x-inin", "x-genesys", "x-pcv", "x-gcv"}},
		// Its script reads headers with X- of the first INVITE, one value each.
		{Name: "nice", NoUUI: true, only: "x-"},
		{Name: "amazon", uui: plainHex, only: "x-"},
		{Name: "twilio", uui: plainHex, only: "x-", reserved: []string{"x-twilio-"}},
		{Name: "audiocodes", uui: proprietary, UUI: true},
	}
}

// PresetOf finds a preset; "" is generic.
func PresetOf(name string) (Preset, bool) {
	for _, p := range presets() {
		if p.Name == name || name == "" {
			return p, true
		}
	}
	return Preset{}, false
}

// PresetNames lists the presets.
func PresetNames() []string {
	var names []string
	for _, p := range presets() {
		names = append(names, p.Name)
	}
	return names
}

// Fields are the headers that tell a platform of the consent; uui asks for
// User-to-User among them, which a preset with NoUUI does not write.
func (p Preset) Fields(c Consent, uui bool) []Field {
	fields := []Field{
		{"X-Consent-Status", c.Status},
		{"X-Consent-Id", c.RecordID},
		{"X-Consent-Outcome", c.Outcome},
		{"X-Recording", c.Recording},
		{"X-CID", c.CallID},
	}
	if c.Language != "" {
		fields = append(fields, Field{"X-Consent-Language", c.Language})
	}
	if c.Purposes != "" {
		fields = append(fields, Field{"X-Consent-Purposes", c.Purposes})
	}
	if uui && !p.NoUUI {
		fields = append(fields, p.uui(userData(c)))
	}
	return fields
}

// userData is the consent in one token of some 50 characters of 7-bit text, of
// the 128 octets that User-to-User may have (RFC 7434 section 3):
// "cg1.granted.on.<record id>". It needs no quotes in any form.
func userData(c Consent) string {
	return strings.Join([]string{"cg1", c.Status, c.Recording, c.RecordID}, ".")
}

// isdn is the form of RFC 7433 in the package of RFC 7434: the first octet is the
// protocol discriminator, 00 for a protocol of the users' own.
func isdn(data string) Field {
	return Field{"User-to-User", "00" + hex.EncodeToString([]byte(data)) + ";encoding=hex;purpose=isdn-uui;content=isdn-uui"}
}

// discriminated has the protocol discriminator in a parameter.
func discriminated(data string) Field {
	return Field{"User-to-User", hex.EncodeToString([]byte(data)) + ";pd=00;encoding=hex;purpose=isdn-uui;content=isdn-uui"}
}

// plainHex has none.
func plainHex(data string) Field {
	return Field{"User-to-User", hex.EncodeToString([]byte(data)) + ";encoding=hex"}
}

// proprietary is the header that has text and no discriminator.
func proprietary(data string) Field {
	return Field{"X-User-to-User", data + ";encoding=ascii"}
}

// Takes says why a header of the caller's may not be passed on to this kind of
// platform by the configuration, or nil. The errors begin with "must". uui says
// that the gateway writes User-to-User itself.
func (p Preset) Takes(name string, uui bool) error {
	if err := checkName(name); err != nil {
		return err
	}
	lower := strings.ToLower(name)
	if uui && (lower == "user-to-user" || lower == "x-user-to-user") {
		return errors.New("must not be User-to-User while the gateway writes one itself: set user_to_user: false to pass the caller's")
	}
	for _, prefix := range p.reserved {
		if strings.HasPrefix(lower, prefix) {
			return fmt.Errorf("must not begin with %s, which %s keeps for itself", prefix, p.Name)
		}
	}
	if p.only != "" && !strings.HasPrefix(lower, p.only) && !(lower == "user-to-user" && !p.NoUUI) && !(lower == diversion && !p.NoUUI) {
		return fmt.Errorf("must begin with X-: %s reads no other", p.Name)
	}
	return nil
}
