package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"

	"consentgw/internal/api/client"

	"github.com/spf13/cobra"
)

// remote are the flags of every command that talks to a running gateway.
type remote struct {
	api  string
	json bool
}

const defaultAPI = "http://127.0.0.1:8080"

// address adds the flag that says where the gateway is.
func (r *remote) address(c *cobra.Command) {
	c.PersistentFlags().StringVar(&r.api, "api", defaultAPI, "address of the gateway's API (listen.api of its configuration)")
}

// flags adds the address and the choice of the output.
func (r *remote) flags(c *cobra.Command) {
	r.address(c)
	c.PersistentFlags().BoolVar(&r.json, "json", false, "print JSON, with everything that the API knows")
}

func (r *remote) client() *client.Client { return client.New(r.api) }

// advise adds to an error what can be done about it.
func (r *remote) advise(err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%w\nIs the gateway running? Start it with \"consentgw serve\", or say --api if its API listens elsewhere", err)
	}
	return err
}

// printJSON writes v for programs.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// printStatus writes the short answer about one call.
func (r *remote) printStatus(cmd *cobra.Command, s client.Status) error {
	if s.Degraded != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "warning: the answer is not the whole truth: %s\n", s.Degraded)
	}
	if r.json {
		return printJSON(cmd.OutOrStdout(), s)
	}
	if s.RecordID == "" {
		_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s: no such call has been seen\n", s.Status)
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "record %s: %s", s.RecordID, s.Status)
	if s.Outcome != "" {
		fmt.Fprintf(cmd.OutOrStdout(), " (%s)", s.Outcome)
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), ", recording %s\n", s.Recording)
	return err
}
