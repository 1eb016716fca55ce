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
	for name, s := range map[string]config.Side{"trunk": cfg.Listen.Trunk, "platform": cfg.Listen.Platform, "recorder": cfg.Listen.Recorder} {
		refuse(s.Advertise != config.Advertise{}, "listen.%s.advertise", name)
	}
	refuse(cfg.Limits.PerSourceCPS > 0 || cfg.Limits.DropAfter > 0, "limits: per_source_cps and drop_after")
	return errors.Join(problems...)
}
