package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"consentgw/consent"
	"consentgw/internal/phone"
)

func (s *stage) introduce() {
	ask := time.Duration(len(s.notice.Prompt("ask").PCMA)) * time.Second / 8000
	fmt.Fprintf(s.Out, `consentgw demonstration: three real calls over loopback, real SIP and RTP.
  gateway         %s (trunk side), API http://%s
  contact center  %s
  recorder        %s (SIPREC)
A yes counts only after the notice of %.0f s has been heard to its end: this takes half a minute.

`, s.trunkURI(), s.gateway.APIAddr(), s.center.phone.URI(), s.recorder.URI(), ask.Seconds())
}

// report draws the calls, saves what is to be kept, and says whether the laws
// held.
func (s *stage) report(ctx context.Context, scenes []*scene) error {
	var broken []error
	for _, sc := range scenes {
		findings := sc.review()
		sc.draw(s.Out, len(scenes))
		files, err := sc.save(s.Dir)
		if err != nil {
			return err
		}
		metadata, err := s.recorder.saveMetadata(s.Dir, sc)
		if err != nil {
			return err
		}
		sc.sum(s, append(files, metadata...), findings)
		broken = append(broken, findings...)
	}
	if err := strangers(s.recorder, scenes); err != nil {
		broken = append(broken, err)
		fmt.Fprintf(s.Out, "\nBROKEN: %v\n", err)
	}
	for _, err := range s.recorder.reviewSessions() {
		broken = append(broken, err)
		fmt.Fprintf(s.Out, "\nBROKEN: %v\n", err)
	}
	export, err := s.export(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "\nThe records of the three calls: %s\n", export)
	if err := verdict(broken); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "Every law held, in %.1f s.\n", time.Since(s.begun).Seconds())
	return nil
}

// sum says under the ladder what came of the call.
func (sc *scene) sum(s *stage, files []string, findings []error) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(s.Out, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	if sc.record != nil {
		line("recorder", "%d of %d packets of the caller, %d of %d of the agent",
			len(sc.caller.copies), voices(sc.caller.sent), len(sc.agent.copies), voices(sc.agent.sent))
	}
	if w := sc.withdrawal(); w != nil {
		line("", "%d were sent after the withdrawal, of which it has %d", w.sent, w.copied)
	}
	for _, f := range files {
		line("file", "%s", f)
	}
	for _, f := range findings {
		line("BROKEN", "%v", f)
	}
	if len(findings) == 0 {
		line("held", "%s; both could hear each other", sc.law())
	}
}

func (sc *scene) law() string {
	switch sc.want.outcome {
	case consent.Refused:
		return "no packet was copied and no recorder was opened"
	case consent.Withdrawn:
		return "no packet was copied before the decision was stored, none after the withdrawal"
	}
	return "no packet was copied before the decision was stored, and none is missing since"
}

func voices(packets []phone.Packet) (n int) {
	for _, p := range packets {
		if isVoice(p) {
			n++
		}
	}
	return n
}

// stopped counts what was said after a withdrawal.
type stopped struct{ sent, copied int }

func (sc *scene) withdrawal() *stopped {
	if sc.record == nil || sc.record.Withdrawal == nil {
		return nil
	}
	after := sc.record.Withdrawal.At.Add(time.Millisecond)
	w := &stopped{}
	for _, s := range []side{sc.caller, sc.agent} {
		for _, p := range s.sent {
			if isVoice(p) && !p.At.Before(after) {
				w.sent++
			}
		}
		for _, c := range s.copies {
			if o, ok := original(s.sent, c); ok && !o.At.Before(after) {
				w.copied++
			}
		}
	}
	return w
}

// save writes what the recorder got of the call as WAV files, if it got
// anything, and returns them in words.
func (sc *scene) save(dir string) (files []string, err error) {
	for _, f := range []struct {
		party  string
		copies []phone.Packet
	}{{"caller", sc.caller.copies}, {"agent", sc.agent.copies}} {
		name := filepath.Join(dir, sc.file+"-"+f.party+".wav")
		if len(f.copies) == 0 {
			// What an earlier run left was not recorded in this one.
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, err
			}
			continue
		}
		if err := writeFile(name, func(w *os.File) error { return phone.WriteWAV(w, f.copies) }); err != nil {
			return nil, err
		}
		files = append(files, fmt.Sprintf("%s, %.1f s", name, float64(len(f.copies))*0.02))
	}
	return files, nil
}

// export writes the records as a compliance officer gets them.
func (s *stage) export(ctx context.Context) (string, error) {
	name := filepath.Join(s.Dir, "records.csv")
	return name, writeFile(name, func(w *os.File) error {
		return s.api().Export(ctx, "csv", time.Time{}, time.Time{}, w)
	})
}

func writeFile(name string, write func(*os.File) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func (s *stage) invite() {
	a, api := s.gateway.TrunkAddrs()[0].AddrPort, s.gateway.APIAddr()
	fmt.Fprintf(s.Out, `
The gateway stays up. Call it with a softphone on this machine (G.711, no registration):
  baresip -e '/dial sip:+31205550123@%s'
Press 1 to agree, 2 to refuse, *9 to stop the recording. Then look:
  consentgw calls list --api http://%s
  consentgw export --api http://%s
Ctrl-C ends it.
`, a, api, api)
}
