package config

import (
	"log/slog"
	"slices"
	"strings"
)

// Redacted is a copy to show to people: passwords are replaced.
func (c *Config) Redacted() *Config {
	shown := *c
	shown.Trunks = slices.Clone(c.Trunks)
	for i := range shown.Trunks {
		shown.Trunks[i].Auth = shown.Trunks[i].Auth.redact()
		shown.Trunks[i].Targets = redactTargets(shown.Trunks[i].Targets)
	}
	shown.Platforms = slices.Clone(c.Platforms)
	for i := range shown.Platforms {
		shown.Platforms[i].Auth = shown.Platforms[i].Auth.redact()
		shown.Platforms[i].Targets = redactTargets(shown.Platforms[i].Targets)
	}
	shown.Recorders = slices.Clone(c.Recorders)
	for i := range shown.Recorders {
		shown.Recorders[i].Auth = shown.Recorders[i].Auth.redact()
	}
	if c.Store.Redis != nil {
		redis := c.Store.Redis.redact()
		shown.Store.Redis = &redis
	}
	return &shown
}

// LogValue is what a log line may hold of a configuration: names and
// addresses, no password, no called number, no controller.
func (c Config) LogValue() slog.Value {
	attrs := []slog.Attr{
		slog.String("node", c.Node.ID),
		slog.String("data", c.Node.Data),
		slog.Any("trunk", c.Listen.Trunk),
		slog.Any("platform", c.Listen.Platform),
		slog.Any("recorder", c.Listen.Recorder),
		slog.String("api", c.Listen.API),
		slog.Int("trunks", len(c.Trunks)),
		slog.Int("platforms", len(c.Platforms)),
		slog.Int("recorders", len(c.Recorders)),
		slog.Int("policies", len(c.Policies)),
		slog.Int("routes", len(c.Routes)),
	}
	if c.Store.Redis == nil {
		return slog.GroupValue(append(attrs, slog.String("store", "embedded"))...)
	}
	return slog.GroupValue(append(attrs, slog.Any("store", *c.Store.Redis))...)
}

// LogValue is the side's addresses.
func (s Side) LogValue() slog.Value {
	if !s.Media.IsValid() {
		return slog.StringValue("none")
	}
	var sip []string
	for _, a := range s.SIP {
		sip = append(sip, a.String())
	}
	return slog.GroupValue(
		slog.String("sip", strings.Join(sip, " ")),
		slog.String("media", s.Media.String()),
		slog.Int("pairs", s.Ports.Pairs()),
	)
}

func redactTargets(targets []Target) []Target {
	targets = slices.Clone(targets)
	for i := range targets {
		targets[i].Auth = targets[i].Auth.redact()
	}
	return targets
}

func (a *Auth) redact() *Auth {
	if a == nil {
		return nil
	}
	return &Auth{Username: a.Username, Password: a.Password.redact(), Realm: a.Realm}
}

func (r Redis) redact() Redis {
	r.Addrs = slices.Clone(r.Addrs)
	if r.Password != "" {
		r.Password = redacted
	}
	return r
}

// LogValue has no password.
func (r Redis) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String has no password.
func (r Redis) String() string {
	scheme := "redis://"
	if r.TLS {
		scheme = "rediss://"
	}
	return scheme + strings.Join(r.Addrs, ",")
}

// MarshalText has no password, so that JSON has none either.
func (r Redis) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// GoString has no password, so that %#v has none either.
func (r Redis) GoString() string { return "config.Redis{" + r.String() + "}" }
