package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
)

func consentCommand() *cobra.Command {
	var r remote
	c := &cobra.Command{Use: "consent", Short: "Ask for a consent or take it back", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	r.flags(c)
	c.AddCommand(
		&cobra.Command{Use: "get CALL", Short: "The status of a call, by record id or either Call-ID", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				status, err := r.client().Status(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return printStatus(cmd, r, status)
			}},
		&cobra.Command{Use: "withdraw RECORD", Short: "Take a consent back, during or after the call", Args: cobra.ExactArgs(1),
			RunE: func(cmd *cobra.Command, args []string) error {
				record, err := r.client().Withdraw(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if done, err := r.print(cmd.OutOrStdout(), record); done {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "record %s: %s\n", record.ID, record.Outcome)
				return nil
			}},
	)
	return c
}

func exportCommand() *cobra.Command {
	var r remote
	var format, from, to, output string
	c := &cobra.Command{
		Use:   "export [--format csv|jsonl] [--from TIME] [--to TIME] [-o FILE]",
		Short: "Export the records of a running gateway",
		Long: `Export every record of calls that came in from --from (inclusive) to --to
(exclusive), oldest first, without a cap. Times are RFC 3339, or a date for
midnight UTC.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin, err := moment("--from", from)
			if err != nil {
				return err
			}
			end, err := moment("--to", to)
			if err != nil {
				return err
			}
			if format != "csv" && format != "jsonl" {
				return &usageError{fmt.Errorf("--format is csv or jsonl")}
			}
			return toFile(output, cmd.OutOrStdout(), func(w io.Writer) error {
				return r.client().Export(cmd.Context(), format, begin, end, w)
			})
		},
	}
	c.Flags().StringVar(&r.api, "api", "http://127.0.0.1:8080", "the gateway's API")
	c.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	c.Flags().StringVar(&from, "from", "", "first time")
	c.Flags().StringVar(&to, "to", "", "time after the last")
	c.Flags().StringVarP(&output, "output", "o", "", "file; standard output if not given")
	return c
}

// moment reads a time or a date; an empty text is no restriction.
func moment(flag, text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, &usageError{fmt.Errorf("%s is no RFC 3339 time and no date: %q", flag, text)}
}

// toFile runs write on a file, or on standard output. A file that could not be
// written to its end is removed: half an export must not pass for a whole one.
func toFile(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == "" {
		return write(stdout)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	err = write(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		os.Remove(path)
	}
	return err
}
