package config

import "reflect"

// Reload is Load for a gateway that runs on old. What is bound, opened or
// announced at the start cannot change after it: node, listen, network,
// session timers, store and log.
// Each of their keys that differs is an error at its place.
//
// Certificates are an exception by their nature: the names of their files stay,
// what is in the files may change.
func Reload(path string, env func(string) (string, bool), environ []string, old *Config) (*Config, Findings) {
	if path == "" {
		return parse("", nil, env, environ, old)
	}
	b, err := readAtMost(path, MaxSize)
	if err != nil {
		return &Config{}, Findings{{File: path, Text: err.Error()}}
	}
	return parse(path, b, env, environ, old)
}

// fixed refuses what differs from the configuration that the gateway runs on.
func (r *reader) fixed(old, c *Config, root *node) {
	if old == nil {
		return
	}
	keys := []fixedKey{
		{[]string{"node", "id"}, old.Node.ID, c.Node.ID},
		{[]string{"node", "data"}, old.Node.Data, c.Node.Data},
		{[]string{"node", "drain"}, old.Node.Drain, c.Node.Drain},
		{[]string{"listen", "api"}, old.Listen.API, c.Listen.API},
		{[]string{"network"}, old.Network, c.Network},
		{[]string{"dialogs", "session_timer"}, old.Dialogs.SessionTimer, c.Dialogs.SessionTimer},
		{[]string{"store", "redis"}, old.Store.Redis, c.Store.Redis},
		{[]string{"log", "level"}, old.Log.Level, c.Log.Level},
		{[]string{"log", "format"}, old.Log.Format, c.Log.Format},
	}
	keys = append(keys, fixedSide("trunk", old.Listen.Trunk, c.Listen.Trunk)...)
	keys = append(keys, fixedSide("platform", old.Listen.Platform, c.Listen.Platform)...)
	keys = append(keys, fixedSide("recorder", old.Listen.Recorder, c.Listen.Recorder)...)
	for _, k := range keys {
		if !reflect.DeepEqual(k.was, k.is) {
			r.failAt(k.place(root), k.name(), "cannot change while the gateway runs: restart it for that, or put the old value back")
		}
	}
}

func fixedSide(name string, was, is Side) []fixedKey {
	return []fixedKey{
		{[]string{"listen", name, "sip"}, was.SIP, is.SIP},
		{[]string{"listen", name, "media"}, was.Media, is.Media},
		{[]string{"listen", name, "ports"}, was.Ports, is.Ports},
		{[]string{"listen", name, "tls"}, was.TLS, is.TLS},
		{[]string{"listen", name, "advertise"}, was.Advertise, is.Advertise},
	}
}

// fixedKey is a key with the value that it had and the one that it has.
type fixedKey struct {
	path    []string
	was, is any
}

func (k fixedKey) name() (path string) {
	for _, key := range k.path {
		path = join(path, key)
	}
	return path
}

// place is where the key stands, or the block that it was taken out of.
func (k fixedKey) place(root *node) place {
	n := root
	for _, key := range k.path {
		if !n.has(key) {
			break
		}
		n = n.get(key)
	}
	return n.at
}
