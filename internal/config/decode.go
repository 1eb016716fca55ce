package config

import (
	"net"
	"strconv"
	"time"
)

// decode makes the typed configuration. Lists keep an element for every item of
// the file, also for a broken one, so that relate finds the one by the other.
func (r *reader) decode(root *node) *Config {
	c := &Config{
		Node: Node{
			ID:    r.text(root.get("node").get("id"), "gw-1", checkName),
			Data:  r.text(root.get("node").get("data"), "./consentgw-data", someText),
			Drain: parsed(r, root.get("node").get("drain"), 10*time.Second, duration(0, 24*time.Hour)),
		},
		Prompts: Prompts{Dir: r.text(root.get("prompts").get("dir"), "", anyText)},
		Listen:  r.listen(root.get("listen")),
		Limits:  r.limits(root.get("limits")),
		Network: r.network(root.get("network")),
		Dialogs: r.dialogs(root.get("dialogs")),
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
