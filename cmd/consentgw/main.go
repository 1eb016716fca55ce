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
	"os/signal"
	"syscall"

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

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process.
func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the process at once, as everybody expects.
	context.AfterFunc(ctx, stop)
	root := command()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "consentgw: %v\nSee consentgw --help.\n", err)
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

func command() *cobra.Command {
	root := &cobra.Command{
		Use:   "consentgw",
		Short: "A call-recording consent gateway",
		Long: `consentgw stands between a telephony trunk and a contact center. It answers the
caller, plays the recording notice, takes the key press, stores the decision,
connects the call, and copies RTP to the recorder only while a stored consent is
in force.

Exit codes: 0 done, 1 failed or errors found, 2 wrong command line.`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err} })
	root.AddCommand(demoCommand(), serveCommand(), checkCommand(), callsCommand(), consentCommand(), exportCommand())
	for _, c := range root.Commands() {
		checkArguments(c)
	}
	return root
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
