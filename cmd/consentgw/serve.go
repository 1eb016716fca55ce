package main

import (
	"context"
	"fmt"
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
		Use:   "serve [-c FILE]",
		Short: "Run the gateway",
		Long: `Run the gateway until SIGTERM or SIGINT. Then new calls are refused with 503, the
calls that are up may finish for the time of --drain, and the rest are hung up.
A second signal ends the process at once.

Without -c it runs on loopback with the embedded store in ./consentgw-data.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := load(file, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			g, err := gateway.Listen(cfg, gateway.Options{Version: version, Log: logger(cfg.Log, cmd.ErrOrStderr()), Drain: drain})
			if err != nil {
				return err
			}
			return g.Serve(cmd.Context())
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration file")
	c.Flags().DurationVar(&drain, "drain", 10*time.Second, "how long calls may finish after the end was asked for")
	return c
}

func checkCommand() *cobra.Command {
	var file string
	c := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Validate a configuration and what it needs",
		Long: `Validate a configuration: every key with line and column, prompts, references,
addresses. Exit 1 on any error. Neighbours that cannot be reached just now are
warnings.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			cfg, err := load(file, out)
			if err != nil {
				return err
			}
			return checkWorld(cmd.Context(), out, cfg, file)
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration file")
	return c
}

func checkWorld(ctx context.Context, out io.Writer, cfg *config.Config, file string) error {
	failures, warnings := gateway.Check(ctx, cfg)
	for _, w := range warnings {
		fmt.Fprintf(out, "warning: %v\n", w)
	}
	for _, f := range failures {
		fmt.Fprintf(out, "error: %v\n", f)
	}
	if len(failures) > 0 {
		return errReported
	}
	if file == "" {
		file = "the default configuration"
	}
	fmt.Fprintf(out, "%s is valid\n", file)
	return nil
}

// load reads the configuration and prints every finding. Without a file it is
// the loopback default, with the overrides of the environment.
func load(file string, out io.Writer) (*config.Config, error) {
	var cfg *config.Config
	var findings config.Findings
	if file == "" {
		cfg, findings = config.Parse("default configuration", nil, os.LookupEnv, os.Environ())
	} else {
		cfg, findings = config.Load(file, os.LookupEnv, os.Environ())
	}
	for _, f := range findings {
		fmt.Fprintln(out, f)
	}
	if findings.Err() != nil {
		return nil, errReported
	}
	return cfg, nil
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
