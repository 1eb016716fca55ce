package gateway

import (
	"errors"
	"fmt"

	"consentgw/internal/config"
)

// unsupported reports every setting that the configuration knows and the
// gateway does not act on yet. It refuses to start rather than pass over one:
// whoever asks for a password must not get a trunk without one.
func unsupported(cfg *config.Config) error {
	var problems []error
	refuse := func(set bool, format string, args ...any) {
		if set {
			problems = append(problems, fmt.Errorf(format+" is not supported yet", args...))
		}
	}
	for _, t := range cfg.Trunks {
		refuse(t.SRTP != "" && t.SRTP != config.SRTPOff, "trunk %q: srtp: %s", t.Name, t.SRTP)
	}
	return errors.Join(problems...)
}
