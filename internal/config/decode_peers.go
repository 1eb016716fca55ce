package config

import (
	"errors"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"consentgw/internal/headers"
	"consentgw/internal/number"
)

func (r *reader) trunk(n *node) Trunk {
	t := Trunk{
		Name:      r.text(n.get("name"), "", checkName),
		MaxCalls:  parsed(r, n.get("max_calls"), 0, whole(0, 1_000_000)),
		MaxCPS:    parsed(r, n.get("max_cps"), 0, parseRate),
		Codecs:    r.codecs(n),
		SRTP:      r.text(n.get("srtp"), SRTPOff, oneOf(SRTPOff, SRTPOptional, SRTPRequired)),
		NAT:       parsed(r, n.get("nat"), true, parseBool),
		Identity:  r.text(n.get("identity"), IdentityTrusted, oneOf(IdentityTrusted, IdentityUntrusted)),
		Country:   r.text(n.get("country"), "", checkPlan),
		Normalize: r.text(n.get("normalize"), "off", oneOf("off", NormalizeE164)),
	}
	o := r.origin(n)
	t.From, t.TLSNames, t.Auth = o.From, o.TLSNames, o.Auth
	if n.has("targets") {
		t.Destination = r.destination(n)
	} else {
		for _, key := range []string{"options", "answer_timeout", "failover_on"} {
			if v := n.get(key); v != nil {
				r.warn(v, "changes nothing without targets, to which outbound calls go")
			}
		}
	}
	if t.Normalize == NormalizeE164 {
		r.needs(n, "country", "normalize e164 needs to know where the trunk's national numbers belong")
	} else if n.has("country") && t.Country != "" && t.Normalize != "" {
		r.warn(n.get("country"), "changes nothing without normalize: e164")
	}
	return t
}

func checkPlan(s string) error {
	_, ok := number.PlanOf(s)
	return demand(ok, "must be a country whose numbering plan is built in, one of "+strings.Join(number.Countries(), " ")+
		"; numbers of others can be rewritten by a route")
}

// checkDomain accepts a name that a certificate may have as a SIP domain. There
// are no wildcards (RFC 5922 section 7.2).
func checkDomain(s string) error {
	_, err := netip.ParseAddr(s)
	return demand(err != nil && isHost(s), "must be a host name, such as sip.carrier.example, without wildcards")
}

var (
	// RFC 3261 section 25.1, quoted-string, without what would have to be quoted.
	realmForm = regexp.MustCompile(`^[ !#-\[\]-~]{1,128}$`)
	// RFC 7616 section 3.4.2: the colon ends the name.
	usernameForm = regexp.MustCompile(`^[ !#-9;-\[\]-~]{1,128}$`)

	checkRealm    = matching(realmForm, `must be 1 to 128 characters of ASCII without " and \`)
	checkUsername = matching(usernameForm, `must be 1 to 128 characters of ASCII without " and \ and :`)
)

func (r *reader) auth(n *node, realm string) *Auth {
	if n == nil || n.kind != mapping {
		return nil
	}
	a := &Auth{
		Username: r.text(n.get("username"), "", checkUsername),
		Password: Secret(r.text(n.get("password"), "", someText)),
		Realm:    r.text(n.get("realm"), realm, checkRealm),
	}
	r.inClear(n.get("password"))
	return a
}

// inClear warns of a password that everyone who reads the file can read.
func (r *reader) inClear(p *node) {
	if p != nil && p.kind == scalar && p.text != "" && !p.expanded && p.at.variable == "" {
		r.warn(p, "stands in the file in clear: use ${env:NAME} or ${file:PATH}")
	}
}

func (r *reader) platform(n *node) Platform {
	if !n.has("from") {
		for _, key := range []string{"tls", "auth"} {
			if v := n.get(key); v != nil {
				r.warn(v, "changes nothing without from, the networks that the platform's own calls come from")
			}
		}
	}
	p := Platform{
		Name:        r.text(n.get("name"), "", checkName),
		Origin:      r.origin(n),
		Destination: r.destination(n),
		Headers:     r.text(n.get("headers"), "generic", oneOf(headers.PresetNames()...)),
		Identity:    r.text(n.get("identity"), IdentityUntrusted, oneOf(IdentityTrusted, IdentityUntrusted)),
		SRTP:        r.text(n.get("srtp"), SRTPOff, oneOf(SRTPOff, SRTPOptional, SRTPRequired)),
		Transfers:   r.transfers(n.get("transfers")),
	}
	r.passing(&p, n)
	return p
}

// origin reads the keys of whoever may place calls.
func (r *reader) origin(n *node) Origin {
	o := Origin{Auth: r.auth(n.get("auth"), "consentgw")}
	for _, p := range n.list("from") {
		o.From = append(o.From, parsed(r, p, netip.Prefix{}, parsePrefix))
	}
	for _, name := range r.distinct(n.get("tls").list("names"), checkDomain) {
		o.TLSNames = append(o.TLSNames, strings.ToLower(name))
	}
	return o
}

// destination reads the keys of whoever can be dialed.
func (r *reader) destination(n *node) Destination {
	options := n.get("options")
	d := Destination{
		Options: OptionsPing{
			Every:     parsed(r, options.get("every"), 30*time.Second, pingEvery),
			DownAfter: parsed(r, options.get("down_after"), 3, whole(1, 100)),
			UpAfter:   parsed(r, options.get("up_after"), 1, whole(1, 100)),
			DownOn:    []string{"503"},
		},
		AnswerTimeout: parsed(r, n.get("answer_timeout"), 30*time.Second, duration(100*time.Millisecond, 10*time.Minute)),
		FailoverOn:    FailoverOn{"408", "5xx", failoverTimeout},
	}
	if options.has("down_on") {
		d.Options.DownOn = append([]string{}, r.distinct(options.list("down_on"), checkDown)...)
	}
	if n.has("failover_on") {
		d.FailoverOn = append(FailoverOn{}, r.distinct(n.list("failover_on"), checkFailure)...)
	}
	for _, t := range n.list("targets") {
		d.Targets = append(d.Targets, r.target(t))
	}
	return d
}

// checkFromHost accepts what may stand in From: RFC 3261 section 19.1.1 allows no
// port there.
func checkFromHost(s string) error {
	port := strings.LastIndexByte(s, ':') > strings.LastIndexByte(s, ']')
	return demand(checkHost(s) == nil && !port, "must be a host without a port, such as gw.example.com or 203.0.113.10, an IPv6 address in brackets")
}

// passing reads which headers go to the platform besides those of the consent.
func (r *reader) passing(p *Platform, n *node) {
	preset, _ := headers.PresetOf(p.Headers)
	p.UserToUser = parsed(r, n.get("user_to_user"), preset.UUI, parseBool)
	if p.UserToUser && preset.NoUUI {
		r.fail(n.get("user_to_user"), "must be false: %s does not read User-to-User", preset.Name)
	}
	p.PassHeaders = r.distinct(n.list("pass_headers"), func(name string) error { return preset.Takes(name, p.UserToUser) })
}

// checkFailure: 1xx and 2xx are no failures.
var checkFailure = matching(regexp.MustCompile(`^([3-6]([0-9]{2}|xx)|timeout)$`),
	"must be a status code from 300 to 699, a class of them such as 5xx, or timeout")

// checkDown: 2xx is what one hopes for.
var checkDown = matching(regexp.MustCompile(`^[3-6]([0-9]{2}|xx)$`),
	"must be a status code from 300 to 699, or a class of them such as 5xx")

// pingEvery is a duration, or zero for no pings; in between they would flood.
func pingEvery(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0, nil
	}
	return duration(100*time.Millisecond, time.Hour)(s)
}

func (r *reader) target(n *node) Target {
	t := Target{
		URI:       r.text(n.get("uri"), "", checkURI),
		Priority:  parsed(r, n.get("priority"), 1, whole(0, 65535)),
		Weight:    parsed(r, n.get("weight"), 1, whole(0, 65535)),
		Transport: r.text(n.get("transport"), "", oneOf("udp", "tcp", "tls")),
		SRV:       parsed(r, n.get("srv"), false, parseBool),
		Auth:      r.auth(n.get("auth"), ""),
		FromHost:  r.text(n.get("from_host"), "", checkFromHost),
		Host:      r.text(n.get("host"), "", checkAdvertise),
		TLS:       r.targetTLS(n.get("tls")),
	}
	if t.URI == "" {
		return t
	}
	u := splitURI(t.URI)
	said := u.transport
	if u.secure {
		said = "tls"
	}
	if t.Transport != "" && said != "" && t.Transport != said {
		r.fail(n.get("transport"), "must not differ from what uri says, %s", said)
	}
	if t.SRV {
		if err := u.searchable(); err != nil {
			r.fail(n.get("srv"), "%v", err)
		}
	}
	if uses := t.Transport == "tls" || said == "tls"; n.has("tls") && !uses {
		r.warn(n.get("tls"), "is not used: the target is not reached by TLS")
	}
	return t
}

func (r *reader) targetTLS(n *node) *TLS {
	if n == nil || n.kind != mapping {
		return nil
	}
	t := &TLS{
		Cert: r.text(n.get("cert"), "", someText),
		Key:  r.text(n.get("key"), "", someText),
		CA:   r.text(n.get("ca"), "", someText),
	}
	if n.has("cert") {
		r.needs(n, "key", "the certificate is of no use without its private key")
	} else if n.has("key") {
		r.needs(n, "cert", "the private key is of no use without its certificate")
	}
	return t
}

// uriParts are the parts of a URI that checkURI accepted.
type uriParts struct {
	secure          bool // sips
	host            string
	port, transport string // empty if not given
}

func splitURI(uri string) uriParts {
	scheme, rest, _ := strings.Cut(uri, ":")
	u := uriParts{secure: strings.EqualFold(scheme, "sips")}
	rest = rest[strings.LastIndexByte(rest, '@')+1:]
	params := strings.Split(rest, ";")
	u.host = params[0]
	if i := strings.LastIndexByte(u.host, ':'); i > strings.LastIndexByte(u.host, ']') {
		u.host, u.port = u.host[:i], u.host[i+1:]
	}
	i := slices.IndexFunc(params[1:], func(p string) bool { return strings.HasPrefix(strings.ToLower(p), "transport=") })
	if i >= 0 {
		u.transport = strings.ToLower(params[1+i][len("transport="):])
	}
	return u
}

// searchable: RFC 3263 section 4.2 asks for SRV records of a name only, and of
// none whose port is known.
func (u uriParts) searchable() error {
	_, err := netip.ParseAddr(strings.Trim(u.host, "[]"))
	switch {
	case err == nil:
		return errors.New("needs a host name in uri: an IP address has no SRV records")
	case u.port != "":
		return errors.New("needs a uri without a port: the SRV records say the port")
	}
	return nil
}

// codecs are those of a trunk, by their names in SDP.
func (r *reader) codecs(n *node) []string {
	if codecs := n.get("codecs"); codecs != nil && codecs.kind == list && len(codecs.items) == 0 {
		r.fail(codecs, "is empty: no call could be agreed on; leave it out for all codecs")
	}
	list := r.distinct(n.list("codecs"), oneOf("PCMA", "PCMU", "G722", "opus"))
	for i := range list {
		list[i] = strings.ToUpper(list[i])
	}
	return list
}
