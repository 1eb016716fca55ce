package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"consentgw/internal/api/client"

	"github.com/spf13/cobra"
)

// remote are the flags of every command that talks to a running gateway.
type remote struct {
	api  string
	json bool
}

func (r *remote) flags(c *cobra.Command) {
	c.PersistentFlags().StringVar(&r.api, "api", "http://127.0.0.1:8080", "the gateway's API")
	c.PersistentFlags().BoolVar(&r.json, "json", false, "print JSON")
}

func (r *remote) client() *client.Client { return client.New(r.api) }

// print writes v as JSON if that was asked for, and says whether it did.
func (r *remote) print(w io.Writer, v any) (bool, error) {
	if !r.json {
		return false, nil
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return true, e.Encode(v)
}

func callsCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{Use: "calls", Short: "Look at live calls and hang them up", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	r.flags(c)
	c.AddCommand(
		&cobra.Command{Use: "list", Short: "List the live calls", Args: cobra.NoArgs,
			RunE: func(cmd *cobra.Command, _ []string) error { return listCalls(cmd, r) }},
		&cobra.Command{Use: "show CALL", Short: "Show one call, by record id or either Call-ID", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error { return showCall(cmd, r, args[0]) }},
	)
	for verb, short := range map[string]string{
		"hangup": "End a live call", "pause": "Pause the recording of a live call", "resume": "Go on recording a live call",
	} {
		c.AddCommand(&cobra.Command{Use: verb + " CALL", Short: short, Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				status, err := r.client().Command(cmd.Context(), args[0], verb)
				if err != nil {
					return err
				}
				return printStatus(cmd, r, status)
			}})
	}
	return c
}

func listCalls(cmd *cobra.Command, r remote) error {
	calls, err := r.client().Calls(cmd.Context())
	if err != nil {
		return err
	}
	if done, err := r.print(cmd.OutOrStdout(), calls); done {
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
func showCall(cmd *cobra.Command, r remote, call string) error {
	status, err := r.client().Status(cmd.Context(), call)
	if err != nil {
		return err
	}
	if status.RecordID == "" {
		return fmt.Errorf("no such call")
	}
	record, err := r.client().Show(cmd.Context(), string(status.RecordID))
	if err != nil {
		return err
	}
	if done, err := r.print(cmd.OutOrStdout(), record); done {
		return err
	}
	if err := printStatus(cmd, r, status); err != nil {
		return err
	}
	for _, e := range record.History {
		fmt.Fprintf(cmd.OutOrStdout(), "  %s  %-18s %s\n", e.At.Format("15:04:05.000"), e.Type, e.Text)
	}
	return nil
}

func printStatus(cmd *cobra.Command, r remote, s client.Status) error {
	if done, err := r.print(cmd.OutOrStdout(), s); done {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "record %s: %s", s.RecordID, s.Status)
	if s.Outcome != "" {
		fmt.Fprintf(cmd.OutOrStdout(), " (%s)", s.Outcome)
	}
	fmt.Fprintf(cmd.OutOrStdout(), ", recording %s\n", s.Recording)
	return nil
}
