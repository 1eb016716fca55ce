package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func consentCommand() *cobra.Command {
	var r remote
	var purposes []string
	withdraw := &cobra.Command{
		Use:   "withdraw RECORD",
		Short: "Take a consent back, during or after the call, by record id",
		Args:  names("RECORD"),
		RunE: func(cmd *cobra.Command, args []string) error {
			record, err := r.client().Withdraw(cmd.Context(), args[0], purposes...)
			if err != nil {
				return r.advise(err)
			}
			if r.json {
				return printJSON(cmd.OutOrStdout(), record)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "record %s: %s (%s), recording %s\n", record.ID, record.Status, record.Outcome, record.Recording())
			return err
		}}
	withdraw.Flags().StringSliceVar(&purposes, "purposes", nil, "only for these purposes, divided by commas (default: all)")
	c := group("consent", "Ask for a consent or take it back",
		&cobra.Command{
			Use:   "get CALL",
			Short: "The status of a call, by record id or either Call-ID",
			Long: `The status of a call, live or not, by record id or the Call-ID of either leg:
granted, denied, pending, withdrawn or unknown. A call that was never seen is
unknown, and no error.`,
			Args: names("CALL"),
			RunE: func(cmd *cobra.Command, args []string) error {
				status, err := r.client().Status(cmd.Context(), args[0])
				if err != nil {
					return r.advise(err)
				}
				return r.printStatus(cmd, status)
			}},
		withdraw,
	)
	r.flags(c)
	return c
}
