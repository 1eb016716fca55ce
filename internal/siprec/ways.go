package siprec

import (
	"fmt"
	"net/netip"
	"time"

	"consentgw/internal/media"
	"consentgw/internal/sdp"
)

// direct sends the copies to where the recorder's description says.
func (r *Recording) direct(body []byte) error {
	ways, err := r.ways(body)
	if err != nil {
		r.stop()
		return err
	}
	return r.follow(ways)
}

// follow sends the copies along; a zero destination stops a stream.
func (r *Recording) follow(ways []media.Destination) error {
	for i, to := range ways {
		if !to.Addr.IsValid() {
			r.streams[i].outlet.Stop()
			continue
		}
		if err := r.streams[i].outlet.Direct(to); err != nil {
			r.stop()
			return fmt.Errorf("%w: %w", errAnswer, err)
		}
	}
	return nil
}

// ways reads where the recorder wants the copies of each stream. It is nowhere
// while we said that we send nothing, and for what it does not want: a line it
// refused, or one that it does not say it receives on, whatever we had offered.
func (r *Recording) ways(body []byte) ([]media.Destination, error) {
	answer, err := sdp.Parse(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if len(answer.Media) != len(r.streams) {
		return nil, fmt.Errorf("%w: %d media lines for %d", errAnswer, len(answer.Media), len(r.streams))
	}
	ways, accepted := make([]media.Destination, len(r.streams)), 0
	for i, st := range r.streams {
		m := &answer.Media[i]
		formats, speaking := r.formats(st, m.Codecs)
		if m.Port == 0 || len(formats) == 0 {
			continue
		}
		accepted++
		seal, err := r.protect(st, m)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		if !speaking || m.Direction == sdp.SendOnly || m.Direction == sdp.Inactive {
			continue
		}
		to := netip.AddrPortFrom(m.Addr, uint16(m.Port))
		if r.cfg.Taken(to) {
			return nil, fmt.Errorf("%w: a media socket of the gateway itself", errAnswer)
		}
		if err := media.UsableFar(to, netip.Addr{}); err != nil {
			return nil, fmt.Errorf("%w: %w", errAnswer, err)
		}
		ways[i] = media.Destination{Addr: to, RTCP: r.reports(m), Formats: formats, Seal: seal}
	}
	switch {
	case accepted == 0:
		return nil, fmt.Errorf("%w: no stream was accepted", errAnswer)
	case accepted < len(ways):
		r.failed("takes only one of the parties, or only one of their codecs")
	}
	return ways, nil
}

// reports is where a line wants reports; the zero address if we send none there.
func (r *Recording) reports(m *sdp.Media) netip.AddrPort {
	to := m.Reports()
	if media.UsableFar(to, netip.Addr{}) != nil || r.cfg.Taken(to) {
		return netip.AddrPort{}
	}
	return to
}

// report tells the recorder of every stream what was sent so far (RFC 7866 section
// 8.1.1), and with last that nothing more comes.
func (r *Recording) report(last bool) {
	for _, st := range r.streams {
		st.outlet.Report(time.Now(), last)
	}
}
