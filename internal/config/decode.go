package config

import (
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"time"
)

// decode makes the typed configuration. Lists keep an element for every item of
// the file, also for a broken one, so that relate finds the one by the other.
func (r *reader) decode(root *node) *Config {
	c := &Config{
		Node: Node{
			ID:   r.text(root.get("node").get("id"), "gw-1", checkName),
			Data: r.text(root.get("node").get("data"), "./consentgw-data", someText),
		},
		Prompts: Prompts{Dir: r.text(root.get("prompts").get("dir"), "", anyText)},
		Listen:  r.listen(root.get("listen")),
		Store:   Store{Redis: r.redis(root.get("store").get("redis"))},
		Log: Log{
			Level:  r.text(root.get("log").get("level"), "info", oneOf("debug", "info", "warn", "error")),
			Format: r.text(root.get("log").get("format"), "json", oneOf("json", "text")),
		},
	}
	for _, n := range root.list("trunks") {
		c.Trunks = append(c.Trunks, r.trunk(n))
	}
	for _, n := range root.list("platforms") {
		c.Platforms = append(c.Platforms, r.platform(n))
	}
	for _, n := range root.list("recorders") {
		c.Recorders = append(c.Recorders, r.recorder(n))
	}
	for _, n := range root.list("policies") {
		c.Policies = append(c.Policies, r.policy(n))
	}
	for _, n := range root.list("routes") {
		c.Routes = append(c.Routes, r.route(n))
	}
	return c
}

func (r *reader) listen(n *node) Listen {
	l := Listen{
		Trunk:    r.side(n.get("trunk"), PortRange{16384, 21999}),
		Platform: r.side(n.get("platform"), PortRange{22000, 26999}),
		API:      r.text(n.get("api"), "127.0.0.1:8080", checkAPI),
	}
	if n.has("recorder") {
		l.Recorder = r.side(n.get("recorder"), PortRange{27000, 31999})
	}
	return l
}

func (r *reader) side(n *node, ports PortRange) Side {
	s := Side{
		Media: parsed(r, n.get("media"), netip.Addr{}, parseMedia),
		Ports: parsed(r, n.get("ports"), ports, parsePorts),
	}
	for _, a := range n.list("sip") {
		s.SIP = append(s.SIP, parsed(r, a, SIPAddr{}, parseSIPAddr))
	}
	return s
}

// checkAPI accepts what net.Listen binds without a name server.
func checkAPI(s string) error {
	host, port, err := net.SplitHostPort(s)
	_, bad := strconv.ParseUint(port, 10, 16)
	_, ip := netip.ParseAddr(host)
	ok := err == nil && bad == nil && (ip == nil || host == "localhost" || host == "")
	return demand(ok, "must be an IP address or localhost, a colon and a port, such as 127.0.0.1:8080")
}

func (r *reader) trunk(n *node) Trunk {
	t := Trunk{
		Name:     r.text(n.get("name"), "", checkName),
		MaxCalls: parsed(r, n.get("max_calls"), 0, whole(0, 1_000_000)),
	}
	for _, p := range n.list("from") {
		t.From = append(t.From, parsed(r, p, netip.Prefix{}, parsePrefix))
	}
	return t
}

func (r *reader) platform(n *node) Platform {
	options := n.get("options")
	p := Platform{
		Name: r.text(n.get("name"), "", checkName),
		Options: OptionsPing{
			Every:     parsed(r, options.get("every"), 30*time.Second, pingEvery),
			DownAfter: parsed(r, options.get("down_after"), 3, whole(1, 100)),
			UpAfter:   parsed(r, options.get("up_after"), 1, whole(1, 100)),
		},
		AnswerTimeout: parsed(r, n.get("answer_timeout"), 30*time.Second, duration(100*time.Millisecond, 10*time.Minute)),
	}
	for _, t := range n.list("targets") {
		p.Targets = append(p.Targets, Target{
			URI:      r.text(t.get("uri"), "", checkURI),
			Priority: parsed(r, t.get("priority"), 1, whole(0, 65535)),
			Weight:   parsed(r, t.get("weight"), 1, whole(0, 65535)),
		})
	}
	return p
}

// pingEvery is a duration, or zero for no pings; in between they would flood.
func pingEvery(s string) (time.Duration, error) {
	if d, err := time.ParseDuration(s); err == nil && d == 0 {
		return 0, nil
	}
	return duration(100*time.Millisecond, time.Hour)(s)
}

func (r *reader) recorder(n *node) Recorder {
	rec := Recorder{
		Name:   r.text(n.get("name"), "", checkName),
		Type:   r.text(n.get("type"), "", oneOf("rtp", "siprec")),
		Caller: parsed(r, n.get("caller"), netip.AddrPort{}, parseAddrPort),
		Agent:  parsed(r, n.get("agent"), netip.AddrPort{}, parseAddrPort),
		URI:    r.text(n.get("uri"), "", checkURI),
	}
	switch rec.Type {
	case "rtp":
		r.needs(n, "caller", "type rtp needs the address that gets the caller's audio")
		r.needs(n, "agent", "type rtp needs the address that gets the agent's audio")
		r.refuses(n, "uri", "belongs to type siprec, and this recorder is of type rtp")
		if rec.Caller.IsValid() && rec.Caller == rec.Agent {
			r.fail(n.get("agent"), "must differ from caller: the two directions are told apart by the port")
		}
	case "siprec":
		r.needs(n, "uri", "type siprec needs the SIP address of the recording server")
		r.refuses(n, "caller", "belongs to type rtp, and this recorder is of type siprec")
		r.refuses(n, "agent", "belongs to type rtp, and this recorder is of type siprec")
	}
	return rec
}

func (r *reader) needs(n *node, key, text string) {
	if !n.has(key) {
		r.failAt(n.at, join(n.path, key), "is missing: %s", text)
	}
}

func (r *reader) refuses(n *node, key, text string) {
	if v := n.get(key); v != nil && v.kind != broken {
		r.fail(v, "%s", text)
	}
}

var numberForm = regexp.MustCompile(`^(\*|[A-Za-z0-9+#._~!$&'()=-]{1,63}\*?)$`)

var checkNumber = matching(numberForm,
	"must be a called number as it comes in the request URI, without spaces, or the beginning of one and a * at the end")

func (r *reader) route(n *node) Route {
	return Route{
		Name:      r.text(n.get("name"), "", checkName),
		Trunk:     r.text(n.get("trunk"), "", checkName),
		To:        r.text(n.get("to"), "", checkNumber),
		Platform:  r.text(n.get("platform"), "", checkName),
		Policy:    r.text(n.get("policy"), "", checkName),
		Recorders: texts(r, n.list("recorders"), checkName),
	}
}

func (r *reader) redis(n *node) *Redis {
	if n == nil || n.kind != mapping {
		return nil
	}
	return &Redis{
		Addrs:    texts(r, n.list("addrs"), checkHostPort),
		Username: r.text(n.get("username"), "", anyText),
		Password: r.text(n.get("password"), "", anyText),
		Database: parsed(r, n.get("database"), 0, whole(0, 65535)),
		TLS:      parsed(r, n.get("tls"), false, parseBool),
		Timeout:  parsed(r, n.get("timeout"), 500*time.Millisecond, duration(time.Millisecond, time.Minute)),
	}
}

func checkHostPort(s string) error {
	host, port, err := net.SplitHostPort(s)
	n, bad := strconv.ParseUint(port, 10, 16)
	return demand(err == nil && bad == nil && n > 0 && isHost(host), errHostPort.Error())
}
