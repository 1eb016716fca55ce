package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/recordserver"
	"consentgw/sip"

	"github.com/spf13/cobra"
)

// recordFlags are the flags of record.
type recordFlags struct {
	listen     []string
	media, dir string
	cert, key  string
	asJSON     bool
	verbose    bool
}

func recordCommand() *cobra.Command {
	var f recordFlags
	c := &cobra.Command{
		Use:   "record",
		Short: "Be a SIPREC recording server, to try out a recorder of type siprec",
		Long: `Take recording sessions (RFC 7866), hold every message against RFC 7866 and
RFC 7865 and say what is wrong with it, and write for each session a folder with
a WAVE file for every label and the metadata as it came. It asks nobody who they
are: listen where only your own gateway can reach it.

Exit codes: 0 everything was in order, 1 something was disliked or failed, 2
wrong command line.`,
		Example: `  consentgw record --listen tcp:127.0.0.1:6060 --dir recordings
  # in the configuration: recorders: [{name: try, type: siprec, uri: "sip:srs@127.0.0.1:6060;transport=tcp"}]`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	c.Flags().StringSliceVar(&f.listen, "listen", []string{"tcp:127.0.0.1:6060"}, "addresses: udp:, tcp: or tls:, host and port")
	c.Flags().StringVar(&f.media, "media", "127.0.0.1", "address that audio comes to")
	c.Flags().StringVar(&f.dir, "dir", "consentgw-recordings", "where the sessions are written")
	c.Flags().StringVar(&f.cert, "cert", "", "certificate for tls: addresses, PEM")
	c.Flags().StringVar(&f.key, "key", "", "its private key, PEM")
	c.Flags().BoolVar(&f.asJSON, "json", false, "print one JSON object for each event")
	c.Flags().BoolVarP(&f.verbose, "verbose", "v", false, "print the signalling's log")
	return c
}

func (f *recordFlags) run(cmd *cobra.Command) error {
	addr, err := netip.ParseAddr(f.media)
	if err != nil {
		return usagef("--media: %q is not an IP address", f.media)
	}
	if (f.cert == "") != (f.key == "") {
		return usagef("--cert and --key belong together")
	}
	told := &teller{out: cmd.OutOrStdout(), asJSON: f.asJSON}
	cfg := recordserver.Config{Listen: f.listen, Media: addr, Dir: f.dir, Tell: told.tell}
	if f.cert != "" {
		cfg.TLS = &sip.TLS{CertFile: f.cert, KeyFile: f.key}
	}
	if f.verbose {
		cfg.Log = logger(config.Log{Level: "debug", Format: "text"}, cmd.ErrOrStderr())
	}
	server, err := recordserver.Listen(cfg)
	if err != nil {
		return err
	}
	for _, a := range server.Addrs() {
		told.tell(recordserver.Event{At: time.Now().UTC(), Type: "listening", Text: a.Transport + ":" + a.AddrPort.String()})
	}
	if err := server.Serve(cmd.Context()); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	if told.disliked {
		return errReported
	}
	return nil
}

// teller prints events, those of several sessions one after the other.
type teller struct {
	out    io.Writer
	asJSON bool

	mu       sync.Mutex // guards what follows, and the writing
	disliked bool
}

func (t *teller) tell(e recordserver.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.disliked = t.disliked || e.Type == "disliked"
	if t.asJSON {
		_ = json.NewEncoder(t.out).Encode(e) // nobody reads: the recording goes on
		return
	}
	fmt.Fprintln(t.out, line(e))
}

// line is an event for people.
func line(e recordserver.Event) string {
	parts := []string{e.At.Format("15:04:05.000"), e.Session, e.Type}
	for _, label := range sorted(e.Streams) {
		parts = append(parts, "label "+label+" "+e.Streams[label])
	}
	for _, label := range sorted(e.Packets) {
		parts = append(parts, fmt.Sprintf("label %s %d packets", label, e.Packets[label]))
	}
	if e.Text != "" {
		parts = append(parts, e.Text)
	}
	if e.Folder != "" && e.Type == "ended" {
		parts = append(parts, "in "+e.Folder)
	}
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	return strings.Join(parts[:2], "  ") + "  " + strings.Join(parts[2:], ", ")
}

func sorted[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
