package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func withPassword(t *testing.T) *Config {
	lookup, _ := environment("CONSENTGW_REDIS_PASSWORD=hunter2")
	c, fs := Parse("c.yaml", []byte(example(t)), lookup, nil)
	require.Empty(t, fs)
	require.Equal(t, "hunter2", c.Store.Redis.Password)
	return c
}

func TestAPasswordIsInNoRendering(t *testing.T) {
	c := withPassword(t)
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.Info("started", "config", c, "redis", c.Store.Redis, "copy", *c.Store.Redis)
	slog.New(slog.NewTextHandler(&log, nil)).Info("started", "config", c, "redis", c.Store.Redis)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		fmt.Fprintf(&log, format+format+format+format, c, *c, c.Store.Redis, *c.Store.Redis)
		fmt.Fprintf(&log, format, c.Redacted())
	}
	assert.NotContains(t, log.String(), "hunter2")
	assert.Contains(t, log.String(), `"store":"redis://127.0.0.1:6379"`)
	assert.NotContains(t, log.String()[:bytes.IndexByte(log.Bytes(), '\n')], "+3120", "nor is a called number in a log line")
}

func TestTheLogNamesTheEmbeddedStoreAndTheAbsentSide(t *testing.T) {
	c := Default()
	c.Listen.Recorder = Side{}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("started", "config", c)
	assert.Contains(t, log.String(), "config.store=embedded")
	assert.Contains(t, log.String(), "config.recorder=none")
	assert.Contains(t, log.String(), `config.trunk.sip="udp:127.0.0.1:5060 tcp:127.0.0.1:5060"`)
}

func TestRedactedIsACopy(t *testing.T) {
	c := withPassword(t)
	shown := c.Redacted()
	assert.Equal(t, redacted, shown.Store.Redis.Password)
	assert.Equal(t, "hunter2", c.Store.Redis.Password)
	shown.Store.Redis.Addrs[0] = "changed"
	assert.Equal(t, "127.0.0.1:6379", c.Store.Redis.Addrs[0])
	assert.Nil(t, Default().Redacted().Store.Redis)
	assert.Equal(t, "rediss://a:1,b:2", Redis{Addrs: []string{"a:1", "b:2"}, TLS: true, Username: "u", Password: "p"}.String())
}

func TestNoPasswordOfATrunkOrATargetIsInAnyRendering(t *testing.T) {
	c := parseFull(t)
	require.EqualValues(t, "hunter2", c.Trunks[1].Auth.Password)
	require.EqualValues(t, "hunter3", c.Platforms[0].Targets[1].Auth.Password)
	var out bytes.Buffer
	values := []any{c, *c, c.Trunks, c.Trunks[1], c.Trunks[1].Auth, *c.Trunks[1].Auth, c.Platforms, c.Platforms[0].Targets[1].Auth, c.Trunks[1].Auth.Password}
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			fmt.Fprintf(&out, format+"\n", v)
		}
		slog.New(slog.NewJSONHandler(&out, nil)).Info("started", "value", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("started", "value", v)
	}
	text, err := json.Marshal(map[string]any{"config": c, "trunks": c.Trunks})
	require.NoError(t, err)
	out.Write(text)
	for _, secret := range []string{"hunter", "68756e746572", "68756E746572"} {
		at := strings.Index(out.String(), secret)
		require.Negative(t, at, "%.200s", out.String()[max(0, at-100):])
	}
	assert.Contains(t, string(text), `"Password":"(set)"`)
	assert.Equal(t, "", Secret("").String(), "one that is not set is seen to be so")
}

func TestRedactedHidesThePasswordsOfTrunksAndTargetsInACopy(t *testing.T) {
	c := parseFull(t)
	shown := c.Redacted()
	assert.EqualValues(t, redacted, string(shown.Trunks[1].Auth.Password))
	assert.EqualValues(t, redacted, string(shown.Platforms[0].Targets[1].Auth.Password))
	assert.Equal(t, c.Trunks[1].Auth.Realm, shown.Trunks[1].Auth.Realm)
	assert.Nil(t, shown.Trunks[0].Auth)
	assert.EqualValues(t, "hunter2", c.Trunks[1].Auth.Password)
	assert.EqualValues(t, "hunter3", c.Platforms[0].Targets[1].Auth.Password)
	shown.Trunks[0].Name, shown.Platforms[0].Targets[0].URI = "changed", "changed"
	assert.Equal(t, "carrier-a", c.Trunks[0].Name)
	assert.Equal(t, "sip:192.0.2.20:5060", c.Platforms[0].Targets[0].URI)
}
