package gateway

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"

	"consentgw/internal/call"
	"consentgw/internal/config"
	"consentgw/internal/rtprecorder"
	"consentgw/internal/siprec"
	"consentgw/internal/siprecxml"
	"consentgw/sip"
)

// recorders builds the recorders of a configuration. They open nothing yet.
func recorders(cfg *config.Config, from sides, log *slog.Logger) []call.Recorder {
	var list []call.Recorder
	for _, c := range cfg.Recorders {
		open := plainRecorder(c, from.recorder)
		if c.Type == "siprec" {
			open = sessionRecorder(c, from, log)
		}
		list = append(list, call.Recorder{Name: c.Name, Purposes: c.Purposes, Open: open})
	}
	return list
}

// hold reports whether addr is a media socket of ours.
func (s sides) hold(addr netip.AddrPort) bool {
	return s.trunk.ports.Holds(addr) || s.platform.ports.Holds(addr) || s.recorder.ports.Holds(addr)
}

type opener = func(context.Context, call.Take) (call.Recording, error)

func plainRecorder(c config.Recorder, from side) opener {
	r := rtprecorder.New(rtprecorder.Config{Name: c.Name, Caller: c.Caller, Agent: c.Agent, Ports: from.ports, Keys: c.Keys})
	return func(ctx context.Context, t call.Take) (call.Recording, error) { return r.Open(ctx, t.Permit, t.Gate) }
}

func sessionRecorder(c config.Recorder, from sides, log *slog.Logger) opener {
	cfg := siprec.Config{Name: c.Name, Endpoint: from.recorder.sip, Ports: from.recorder.ports, Log: log, Taken: from.hold,
		Caller: c.Record != "agent", Agent: c.Record != "caller", SRTP: c.SRTP == config.SRTPRequired, Keys: c.Keys,
		Metadata: siprec.Metadata{
			MediaType: c.MediaType, Namespace: c.ConsentNamespace, Numbers: c.Identities == "numbers",
			Silent: c.OnWithdrawal == "silent", RetentionHeader: c.RetentionHeader,
		}}
	for _, uri := range append([]string{c.URI}, c.Backups...) {
		target := siprec.Target{URI: uri}
		if c.Auth != nil {
			target.Auth = &sip.Credentials{Username: c.Auth.Username, Password: string(c.Auth.Password)}
		}
		if c.TLS != nil {
			target.TLS = &sip.ClientTLS{CertFile: c.TLS.Cert, KeyFile: c.TLS.Key, CAFile: c.TLS.CA}
		}
		cfg.Targets = append(cfg.Targets, target)
	}
	switch c.Preset {
	case "amazon":
		cfg.Metadata.Agent = amazon(c)
	case "loreste":
		cfg.Metadata.RetentionHeader = cmp.Or(c.RetentionHeader, "X-Recording-Retention")
	}
	r := siprec.New(cfg)
	return func(ctx context.Context, t call.Take) (call.Recording, error) {
		recording, err := r.Open(ctx, siprec.Call{Moment: siprec.Moment(t.News), Permit: t.Permit, Gate: t.Gate, Changed: t.Changed})
		if err != nil {
			return nil, err
		}
		return session{recording}, nil
	}
}

// session is a recording whose recorder hears how the call goes on.
type session struct{ *siprec.Recording }

// Follow implements [call.Follower].
func (s session) Follow(news call.News) { s.Recording.Follow(siprec.Moment(news)) }

// amazon is what the Contact Lens connector reads. It takes the first stream by
// label for the agent unless it is told otherwise, and ours is the caller's.
func amazon(c config.Recorder) []siprecxml.Param {
	params := []siprecxml.Param{{Name: "AmznConnectAgentUserId", Value: c.AgentUser}}
	if c.Queue != "" {
		params = append(params, siprecxml.Param{Name: "AmznConnectQueueId", Value: c.Queue})
	}
	return append(params, siprecxml.Param{Name: "AmznConnectParticipantOrder", Value: "desc"})
}
