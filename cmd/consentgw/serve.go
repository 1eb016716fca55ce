package main

import (
	"io"
	"log/slog"
	"os"
	"time"

	"consentgw/internal/config"
	"consentgw/internal/gateway"

	"github.com/spf13/cobra"
)

func serveCommand() *cobra.Command {
	var file string
	var drain time.Duration
	c := &cobra.Command{
		Use:   "serve [-c FILE] [flags]",
		Short: "Run the gateway",
		Long: `Run the gateway until SIGTERM or SIGINT. Then new calls are refused with 503, the
calls that are up may finish for the time of --drain, and the rest are hung up.
A second signal hangs them up now; a third ends the process at once. SIGHUP reads
the configuration again and puts it in force without touching calls, or refuses
it as a whole. The log goes to standard error.

Without -c it runs on loopback with the embedded store in ./consentgw-data.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if drain < 0 {
				return usagef("--drain is a time of 0 or more, not %s", drain)
			}
			cfg, findings := load(file)
			if err := (report{file: file, findings: findings}).print(cmd.ErrOrStderr()); err != nil {
				return err
			}
			if !cmd.Flags().Changed("drain") {
				drain = cfg.Node.Drain
			}
			log, end := patientLogger(cfg.Log, cmd.ErrOrStderr())
			defer end()
			reload, unhook := hangups()
			defer unhook()
			g, err := gateway.Listen(cfg, gateway.Options{Version: version, Log: log, Drain: drain,
				Reread: func(old *config.Config) (*config.Config, config.Findings) {
					return config.Reload(file, os.LookupEnv, os.Environ(), old)
				},
				Reload: reload, Hurry: hurryOf(cmd.Context())})
			if err != nil {
				return err
			}
			return g.Serve(cmd.Context())
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration file")
	c.Flags().DurationVar(&drain, "drain", 0, "how long calls may finish after the end was asked for (default node.drain of the file, 10s)")
	return c
}

func logger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}
