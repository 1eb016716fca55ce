package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"consentgw/consent"
	"consentgw/internal/api/client"

	"github.com/spf13/cobra"
)

func callsCommand() *cobra.Command {
	var r remote
	c := group("calls", "Look at live calls, hang them up, pause their recording",
		&cobra.Command{Use: "list", Short: "List the live calls, without numbers", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return r.listCalls(cmd) }},
		&cobra.Command{Use: "show CALL", Short: "Show the record of a call and its history, by record id or either Call-ID", Args: names("CALL"),
			RunE: func(cmd *cobra.Command, args []string) error { return r.showCall(cmd, args[0]) }},
		r.order("hangup", "End a live call"),
		r.order("pause", "Pause the recording of a live call"),
		r.order("resume", "Go on recording a live call that was paused"),
	)
	r.flags(c)
	return c
}

// order is a command that one live call obeys.
func (r *remote) order(verb, short string) *cobra.Command {
	return &cobra.Command{Use: verb + " CALL", Short: short + ", by record id or either Call-ID", Args: names("CALL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			status, err := r.client().Command(cmd.Context(), args[0], verb)
			if err != nil {
				return r.advise(err)
			}
			return r.printStatus(cmd, status)
		}}
}

func (r *remote) listCalls(cmd *cobra.Command) error {
	calls, err := r.client().Calls(cmd.Context())
	if err != nil {
		return r.advise(err)
	}
	if r.json {
		return printJSON(cmd.OutOrStdout(), append([]client.Call{}, calls...))
	}
	if len(calls) == 0 {
		_, err := fmt.Fprintln(cmd.OutOrStdout(), "no live calls")
		return err
	}
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "RECORD\tTRUNK\tROUTE\tSTATUS\tRECORDING\tSECONDS")
	for _, c := range calls {
		age := "-"
		if c.InvitedAt != nil {
			age = fmt.Sprintf("%.0f", time.Since(*c.InvitedAt).Seconds())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", c.RecordID, c.Trunk, c.Route, c.Status.Status, c.Recording, age)
	}
	return w.Flush()
}

// showCall prints the record of a call that is named in any way.
func (r *remote) showCall(cmd *cobra.Command, call string) error {
	status, err := r.client().Status(cmd.Context(), call)
	if err != nil {
		return r.advise(err)
	}
	if status.RecordID == "" {
		if status.Degraded != "" {
			return fmt.Errorf("the call cannot be looked up: %s", status.Degraded)
		}
		return errors.New("no such call has been seen; name it by record id or by the Call-ID of either leg")
	}
	record, err := r.client().Show(cmd.Context(), string(status.RecordID))
	if err != nil {
		return r.advise(err)
	}
	if r.json {
		return printJSON(cmd.OutOrStdout(), record)
	}
	if err := r.printStatus(cmd, status); err != nil {
		return err
	}
	return printRecord(cmd, record)
}

// printRecord writes what one wants to know of a call at a glance. Numbers are
// left to --json.
func printRecord(cmd *cobra.Command, r *consent.Record) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "  trunk\t%s, route %s\n", r.Call.Trunk, r.Call.Route)
	if n := r.Notice; n.ID != "" {
		fmt.Fprintf(w, "  notice\t%s version %s in %q, heard %d of %d ms\n", n.ID, n.Version, n.Language, n.HeardMS, n.LengthMS)
	}
	if p := r.Press; p != nil {
		fmt.Fprintf(w, "  decided by\ta key, by %s\n", p.Method)
	}
	for _, rec := range r.Recordings {
		fmt.Fprintf(w, "  recorder\t%s: %d packets of the caller, %d of the agent", rec.Recorder, rec.Caller.Packets, rec.Agent.Packets)
		if rec.Fault != "" {
			fmt.Fprintf(w, "; %s", rec.Fault)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w, "  history\t(UTC)")
	for _, e := range r.History {
		fmt.Fprintf(w, "  %s\t%s", e.At.UTC().Format("15:04:05.000"), e.Type)
		if e.Text != "" {
			fmt.Fprintf(w, ": %s", e.Text)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
