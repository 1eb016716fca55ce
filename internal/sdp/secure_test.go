package sdp_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"consentgw/internal/sdp"
)

// keysOf are keys of ours that nobody else has.
func keysOf(b byte) []sdp.Crypto {
	var secrets [][]byte
	for _, s := range sdp.Suites() {
		secrets = append(secrets, bytes.Repeat([]byte{b}, s.KeyBytes()))
	}
	return sdp.OurKeys(secrets)
}

func securedLocal(policy sdp.SRTP, b byte) sdp.Local {
	l := local()
	l.SRTP, l.Crypto = policy, keysOf(b)
	return l
}

// offerOf has media lines of a transport with a number of crypto lines each;
// a negative number is a line that cannot be used.
func offerOf(t *testing.T, lines ...string) *sdp.Session {
	t.Helper()
	text := "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
	for i, l := range lines {
		proto, keys, _ := strings.Cut(l, " ")
		text += fmt.Sprintf("m=audio %d %s 8 101\r\na=rtpmap:101 telephone-event/8000\r\n", 4000+2*i, proto)
		for j, suite := range strings.Fields(keys) {
			size := sdp.Suite(suite).KeyBytes()
			if size == 0 {
				text += fmt.Sprintf("a=crypto:%d %s inline:AAAA\r\n", j+1, suite)
				continue
			}
			one := sdp.Session{Media: []sdp.Media{{Kind: "audio", Port: 1, Proto: "RTP/SAVP",
				Crypto: []sdp.Crypto{{Tag: j + 1, Suite: sdp.Suite(suite), Keys: []sdp.Key{sdp.NewKey(bytes.Repeat([]byte{byte(i*16 + j + 1)}, size))}}}}}}
			for line := range strings.SplitSeq(string(one.Marshal()), "\r\n") {
				if strings.HasPrefix(line, "a=crypto") {
					text += line + "\r\n"
				}
			}
		}
	}
	s, err := sdp.Parse([]byte(text))
	require.NoError(t, err)
	return s
}

func TestAnOfferIsAnsweredAsThePolicyOfTheSideSays(t *testing.T) {
	const cm80, cm32, gcm = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"
	cases := map[string]struct {
		policy sdp.SRTP
		offer  []string
		suite  sdp.Suite // empty: in clear
		index  int
		err    error
	}{
		"off takes what is plain":                 {sdp.SRTPOff, []string{"RTP/AVP"}, "", 0, nil},
		"off looks at no keys":                    {sdp.SRTPOff, []string{"RTP/AVP " + cm80}, "", 0, nil},
		"off refuses SAVP":                        {sdp.SRTPOff, []string{"RTP/SAVP " + cm80}, "", 0, sdp.ErrNoAudio},
		"off takes the plain line of two":         {sdp.SRTPOff, []string{"RTP/SAVP " + cm80, "RTP/AVP"}, "", 1, nil},
		"optional takes what is plain":            {sdp.SRTPOptional, []string{"RTP/AVP"}, "", 0, nil},
		"optional takes SAVP":                     {sdp.SRTPOptional, []string{"RTP/SAVP " + cm80}, cm80, 0, nil},
		"optional takes keys under AVP":           {sdp.SRTPOptional, []string{"RTP/AVP " + cm80}, cm80, 0, nil},
		"optional prefers SAVP, wherever":         {sdp.SRTPOptional, []string{"RTP/AVP", "RTP/SAVP " + gcm}, gcm, 1, nil},
		"optional and keys nobody can use":        {sdp.SRTPOptional, []string{"RTP/AVP F8_128_HMAC_SHA1_80"}, "", 0, nil},
		"optional and SAVP without a key":         {sdp.SRTPOptional, []string{"RTP/SAVP"}, "", 0, sdp.ErrNotSecured},
		"optional and SAVP nobody can use":        {sdp.SRTPOptional, []string{"RTP/SAVP F8_128_HMAC_SHA1_80"}, "", 0, sdp.ErrNotSecured},
		"optional and SAVP nobody can use, twice": {sdp.SRTPOptional, []string{"RTP/SAVP F8_128_HMAC_SHA1_80", "RTP/AVP"}, "", 1, nil},
		"required refuses what is plain":          {sdp.SRTPRequired, []string{"RTP/AVP"}, "", 0, sdp.ErrNotSecured},
		"required takes SAVP":                     {sdp.SRTPRequired, []string{"RTP/SAVP " + cm80}, cm80, 0, nil},
		"required takes SAVPF":                    {sdp.SRTPRequired, []string{"RTP/SAVPF " + cm80}, cm80, 0, nil},
		"required takes keys under AVP":           {sdp.SRTPRequired, []string{"RTP/AVP " + cm80}, cm80, 0, nil},
		"required passes the plain line over":     {sdp.SRTPRequired, []string{"RTP/AVP", "RTP/SAVP " + cm32}, cm32, 1, nil},
		"required and keys nobody can use":        {sdp.SRTPRequired, []string{"RTP/SAVP X"}, "", 0, sdp.ErrNotSecured},
		"required refuses DTLS":                   {sdp.SRTPRequired, []string{"UDP/TLS/RTP/SAVP " + cm80}, "", 0, sdp.ErrNoAudio},
		"what the author likes best comes first":  {sdp.SRTPRequired, []string{"RTP/SAVP " + cm32 + " " + gcm + " " + cm80}, cm32, 0, nil},
		"what is not understood is passed over":   {sdp.SRTPRequired, []string{"RTP/SAVP X " + gcm}, gcm, 0, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			offer := offerOf(t, c.offer...)
			ours := securedLocal(c.policy, 0xAA)
			answer, agreed, err := sdp.NewAnswer(offer, ours, g711())
			require.ErrorIs(t, err, c.err)
			if c.err != nil {
				require.Nil(t, answer)
				return
			}
			require.Equal(t, c.index, agreed.Index)
			taken := answer.Media[c.index]
			assert.Equal(t, offer.Media[c.index].Proto, taken.Proto)
			if c.suite == "" {
				assert.Nil(t, agreed.SRTP)
				assert.Empty(t, taken.Crypto)
				return
			}
			require.NotNil(t, agreed.SRTP)
			assert.Equal(t, c.suite, agreed.SRTP.Suite)
			assert.Equal(t, byte(0xAA), agreed.SRTP.Ours.Bytes()[0])
			require.Len(t, taken.Crypto, 1, "an answer names one")
			assert.Equal(t, c.suite, taken.Crypto[0].Suite)

			read, err := sdp.Parse(answer.Marshal())
			require.NoError(t, err)
			theirs, err := sdp.Accept(offer, read)
			require.NoError(t, err, "the far end can accept what we answer")
			require.NotNil(t, theirs.SRTP)
			assert.Equal(t, agreed.SRTP.Ours.Bytes(), theirs.SRTP.Theirs[0].Bytes())
			assert.Equal(t, agreed.SRTP.Theirs[0].Bytes(), theirs.SRTP.Ours.Bytes())
		})
	}
}

func TestAnAnswerToKeysNeverMeansClearByMistake(t *testing.T) {
	answerWith := func(policy sdp.SRTP, change func(*sdp.Media)) (*sdp.Session, *sdp.Session) {
		offer := sdp.NewOffer(securedLocal(policy, 1), g711())
		answer, _, err := sdp.NewAnswer(offer, securedLocal(sdp.SRTPOptional, 2), g711())
		require.NoError(t, err)
		change(&answer.Media[0])
		return offer, answer
	}
	without := func(m *sdp.Media) { m.Crypto = nil }
	cases := map[string]struct {
		policy sdp.SRTP
		change func(*sdp.Media)
		clear  bool
		err    error
	}{
		"as it should be":               {sdp.SRTPRequired, func(*sdp.Media) {}, false, nil},
		"required and no key":           {sdp.SRTPRequired, without, false, sdp.ErrNotSecured},
		"required and another profile":  {sdp.SRTPRequired, func(m *sdp.Media) { m.Proto = "RTP/AVP" }, false, sdp.ErrNotSecured},
		"required and in clear":         {sdp.SRTPRequired, func(m *sdp.Media) { m.Proto = "RTP/AVP"; m.Crypto = nil }, false, sdp.ErrNotSecured},
		"required and our key back":     {sdp.SRTPRequired, func(m *sdp.Media) { m.Crypto[0].Keys = keysOf(1)[0].Keys }, false, sdp.ErrNotSecured},
		"required and another tag":      {sdp.SRTPRequired, func(m *sdp.Media) { m.Crypto[0].Tag = 9 }, false, sdp.ErrNotSecured},
		"required and another suite":    {sdp.SRTPRequired, func(m *sdp.Media) { m.Crypto[0].Suite = sdp.AESCM32 }, false, sdp.ErrNotSecured},
		"optional and a key":            {sdp.SRTPOptional, func(*sdp.Media) {}, false, nil},
		"optional and SAVP with a key":  {sdp.SRTPOptional, func(m *sdp.Media) { m.Proto = "RTP/SAVP" }, false, nil},
		"optional and no key":           {sdp.SRTPOptional, without, true, nil},
		"optional and SAVP without one": {sdp.SRTPOptional, func(m *sdp.Media) { m.Proto = "RTP/SAVP"; m.Crypto = nil }, false, sdp.ErrNotSecured},
		"optional and our key back":     {sdp.SRTPOptional, func(m *sdp.Media) { m.Crypto[0].Keys = keysOf(1)[0].Keys }, false, sdp.ErrNotSecured},
		"optional and a broken key": {sdp.SRTPOptional, func(m *sdp.Media) {
			m.Crypto, m.Attributes = nil, []sdp.Attribute{{Key: "crypto", Value: "1 AEAD_AES_256_GCM inline:AAAA"}}
		}, false, sdp.ErrNotSecured},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			offer, answer := answerWith(c.policy, c.change)
			agreed, err := sdp.Accept(offer, answer)
			require.ErrorIs(t, err, c.err)
			if err == nil {
				assert.Equal(t, c.clear, agreed.SRTP == nil)
			}
		})
	}
}

func TestOffersNameEverySuiteUnlessSRTPIsOff(t *testing.T) {
	for policy, want := range map[sdp.SRTP]string{sdp.SRTPOff: "RTP/AVP", sdp.SRTPOptional: "RTP/AVP", sdp.SRTPRequired: "RTP/SAVP"} {
		m := sdp.NewOffer(securedLocal(policy, 1), g711()).Media[0]
		assert.Equal(t, want, m.Proto)
		if policy == sdp.SRTPOff {
			assert.Empty(t, m.Crypto)
			continue
		}
		for i, s := range sdp.Suites() {
			assert.Equal(t, s, m.Crypto[i].Suite)
			assert.Equal(t, i+1, m.Crypto[i].Tag)
		}
	}
}

func FuzzSecureAnswer(f *testing.F) {
	seed(f)
	for _, lines := range [][]string{{"RTP/SAVP AEAD_AES_128_GCM"}, {"RTP/AVP AES_CM_128_HMAC_SHA1_80", "RTP/SAVP X"}} {
		f.Add(offerOf(&testing.T{}, lines...).Marshal())
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		offer, err := sdp.Parse(body)
		if err != nil {
			return
		}
		for _, policy := range []sdp.SRTP{sdp.SRTPOptional, sdp.SRTPRequired} {
			answer, agreed, err := sdp.NewAnswer(offer, securedLocal(policy, 0xAA), g711())
			if err != nil {
				require.Nil(t, answer)
				continue
			}
			checkAnswer(t, offer, answer, agreed)
			require.False(t, policy == sdp.SRTPRequired && agreed.SRTP == nil, "a silent downgrade")
		}
	})
}
