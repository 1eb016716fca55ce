package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
)

func exportCommand() *cobra.Command {
	var r remote
	var format, from, to, output string
	c := &cobra.Command{
		Use:   "export [-o FILE] [flags]",
		Short: "Export the records of a running gateway",
		Long: `Export every record of calls that came in from --from (inclusive) to --to
(exclusive), oldest first, without a cap: as CSV, or as JSON Lines with the whole
history. Times are RFC 3339, or a date for midnight UTC.

A file appears only when the export is whole, and only its owner may read it:
it holds the numbers of callers.`,
		Example: `  consentgw export --from 2026-03-01 --to 2026-04-01 -o march.csv
  consentgw export --format jsonl | jq .outcome`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin, end, err := period(from, to)
			if err != nil {
				return err
			}
			if format != "csv" && format != "jsonl" {
				return usagef("--format is csv or jsonl, not %q", format)
			}
			return r.advise(toFile(output, cmd.OutOrStdout(), func(w io.Writer) error {
				return r.client().Export(cmd.Context(), format, begin, end, w)
			}))
		},
	}
	r.address(c)
	c.Flags().StringVar(&format, "format", "csv", "csv or jsonl")
	c.Flags().StringVar(&from, "from", "", "first time (default: the beginning)")
	c.Flags().StringVar(&to, "to", "", "time after the last (default: now)")
	c.Flags().StringVarP(&output, "output", "o", "", "file (default: standard output)")
	return c
}

func period(from, to string) (begin, end time.Time, err error) {
	if begin, err = moment("--from", from); err != nil {
		return begin, end, err
	}
	if end, err = moment("--to", to); err != nil {
		return begin, end, err
	}
	if !begin.IsZero() && !end.IsZero() && !begin.Before(end) {
		return begin, end, usagef("--from %s is not before --to %s: nothing lies between", from, to)
	}
	return begin, end, nil
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
	return time.Time{}, usagef("%s is no RFC 3339 time (2026-03-01T12:00:00Z) and no date (2026-03-01): %q", flag, text)
}

// toFile runs write on a file, or on standard output. The file gets its name
// only when it is whole and on the disk: half an export must not pass for a
// whole one, nor take the place of an earlier one.
func toFile(path string, stdout io.Writer, write func(io.Writer) error) error {
	if path == "" || path == "-" {
		return write(stdout)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return toDevice(path, info, write)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", path, err)
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// toDevice writes to what is there and is no plain file, such as a pipe.
func toDevice(path string, info fs.FileInfo, write func(io.Writer) error) error {
	if info.IsDir() {
		return fmt.Errorf("%s is a directory", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
