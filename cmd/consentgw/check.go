package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"consentgw/internal/config"
	"consentgw/internal/gateway"

	"github.com/spf13/cobra"
)

func checkCommand() *cobra.Command {
	var file string
	var asJSON bool
	c := &cobra.Command{
		Use:   "check [-c FILE] [flags]",
		Short: "Validate a configuration and what it needs",
		Long: `Validate a configuration: every key with line and column, prompts, references,
addresses. Exit 1 on any error. Neighbours that cannot be reached just now are
warnings.

Without -c it checks the loopback default, with the CONSENTGW_ variables.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, findings := load(file)
			r := report{file: file, findings: findings}
			if findings.Err() == nil {
				r.findings = append(r.findings, lookAround(cmd.Context(), cfg, file)...)
			}
			if asJSON {
				return r.printJSON(cmd.OutOrStdout())
			}
			err := r.print(cmd.OutOrStdout())
			if err == nil {
				fmt.Fprintf(cmd.OutOrStdout(), "%s is valid\n", r.name())
			}
			return err
		},
	}
	c.Flags().StringVarP(&file, "config", "c", "", "configuration file")
	c.Flags().BoolVar(&asJSON, "json", false, "print the findings as JSON")
	return c
}

// lookAround checks what a valid configuration needs from the world.
func lookAround(ctx context.Context, cfg *config.Config, file string) (all config.Findings) {
	failures, warnings := gateway.Check(ctx, cfg)
	name := report{file: file}.name()
	for _, err := range failures {
		all = append(all, config.Finding{File: name, Severity: config.Error, Text: err.Error()})
	}
	for _, err := range warnings {
		all = append(all, config.Finding{File: name, Severity: config.Warning, Text: err.Error()})
	}
	return all
}

// load reads the configuration. Without a file it is the loopback default, with
// the overrides of the environment.
func load(file string) (*config.Config, config.Findings) {
	if file == "" {
		return config.Parse(report{}.name(), nil, os.LookupEnv, os.Environ())
	}
	return config.Load(file, os.LookupEnv, os.Environ())
}

// report is what was found in a configuration.
type report struct {
	file     string
	findings config.Findings
}

func (r report) name() string { return cmp.Or(r.file, "default configuration") }

func (r report) count() (errors, warnings int) {
	for _, f := range r.findings {
		if f.Severity == config.Error {
			errors++
		} else {
			warnings++
		}
	}
	return errors, warnings
}

// print writes every finding. The error says that there was one to report.
func (r report) print(w io.Writer) error {
	for _, f := range r.findings {
		fmt.Fprintln(w, f)
	}
	errors, warnings := r.count()
	if errors == 0 {
		return nil
	}
	fmt.Fprintf(w, "%s: errors: %d, warnings: %d\n", r.name(), errors, warnings)
	return errReported
}

// finding is a config.Finding as JSON.
type finding struct {
	Severity string `json:"severity"`
	File     string `json:"file"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Variable string `json:"variable,omitempty"`
	Path     string `json:"path,omitempty"`
	Text     string `json:"text"`
}

func (r report) printJSON(w io.Writer) error {
	errors, _ := r.count()
	out := struct {
		File     string    `json:"file"`
		Valid    bool      `json:"valid"`
		Findings []finding `json:"findings"`
	}{r.name(), errors == 0, []finding{}}
	for _, f := range r.findings {
		out.Findings = append(out.Findings, finding{f.Severity.String(), f.File, f.Line, f.Column, f.Variable, f.Path, f.Text})
	}
	if err := printJSON(w, out); err != nil {
		return err
	}
	if errors > 0 {
		return errReported
	}
	return nil
}
