package main

import (
	"log/slog"

	"consentgw/internal/config"
	"consentgw/internal/demo"

	"github.com/spf13/cobra"
)

func demoCommand() *cobra.Command {
	var dir string
	var stay, verbose bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play the whole story on loopback with no other software",
		Long: `Start the gateway on the embedded store, a caller, a contact center and a
recorder, and make three real calls: one agrees, one refuses, one agrees and
takes it back. Each call is drawn as a ladder with the packets counted at the
recorder; WAV files of what the recorder got and the export of the records are
written. Exit 0 only if every law held.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := slog.New(slog.DiscardHandler)
			if verbose {
				log = logger(config.Log{Level: "debug", Format: "text"}, cmd.ErrOrStderr())
			}
			return demo.Run(cmd.Context(), demo.Options{Dir: dir, Out: cmd.OutOrStdout(), Log: log, Stay: stay})
		},
	}
	c.Flags().StringVar(&dir, "dir", "consentgw-demo", "where the WAV files and the export go")
	c.Flags().BoolVar(&stay, "stay", false, "keep running and say how to call it with a softphone")
	c.Flags().BoolVarP(&verbose, "verbose", "v", false, "print the gateway's log")
	return c
}
