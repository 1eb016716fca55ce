// Command consentgw is a call-recording consent gateway: it stands between a
// telephony trunk and a contact center, asks the caller, and copies the call to
// a recorder only while a stored consent is in force.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// version is what /metrics and --version tell.
const version = "0.1.0"

// The exit codes, documented in --help and the README.
const (
	exitOK     = 0
	exitFailed = 1 // the command could not do what was asked, or found errors
	exitUsage  = 2 // the command line is wrong
)

func main() { os.Exit(run(signalled(), os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process: ctx ends with the first signal.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "consentgw: %v\nSee %s --help.\n", err, cmd.CommandPath())
		return exitUsage
	case errors.Is(err, errReported):
		return exitFailed
	}
	fmt.Fprintf(stderr, "consentgw: %v\n", err)
	return exitFailed
}

// errReported is a failure that the command has told the user already.
var errReported = errors.New("reported")

// usageError is a mistake on the command line.
type usageError struct{ error }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

func command() *cobra.Command {
	root := group("consentgw", "A call-recording consent gateway",
		demoCommand(), serveCommand(), checkCommand(), callsCommand(), consentCommand(), exportCommand(), benchCommand(), recordCommand(), routeTestCommand())
	root.Long = `consentgw stands between a telephony trunk and a contact center. It answers the
caller, plays the recording notice, takes the key press, stores the decision,
connects the call, and copies RTP to the recorder only while a stored consent is
in force.

Exit codes: 0 done, 1 failed or errors found, 2 wrong command line.`
	root.Version = version
	root.SilenceUsage, root.SilenceErrors = true, true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	checkArguments(root)
	return root
}

// group is a command that only holds others. Alone it prints its help.
func group(use, short string, commands ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: knownCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	c.AddCommand(commands...)
	return c
}

func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	c.SuggestionsMinimumDistance = 2
	if near := c.SuggestionsFor(args[0]); len(near) > 0 {
		return fmt.Errorf("unknown command %q; did you mean %s?", args[0], strings.Join(near, " or "))
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// checkArguments makes every mistake in the arguments a usageError.
func checkArguments(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		checkArguments(sub)
	}
}

// names wants one argument and says what it is if it is not there.
func names(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) == 0 || args[0] == "":
			return fmt.Errorf("%s is missing", what)
		case len(args) > 1:
			return fmt.Errorf("want one %s, not %d", what, len(args))
		}
		return nil
	}
}
