package config

import "slices"

// purposes warns of purposes that lead nowhere: a recorder for one that nobody is
// asked for, and one that is asked for by itself though nothing is done with it.
func (r *reader) purposes(c *Config, root *node) {
	var asked []string
	for _, p := range c.Policies {
		asked = append(asked, p.Purposes...)
	}
	for _, n := range root.list("recorders") {
		for _, item := range n.list("purposes") {
			if item.kind == scalar && item.text != "" && !slices.Contains(asked, item.text) {
				r.warn(item, "no policy asks for %q%s", item.text, suggest(item.text, asked))
			}
		}
	}
	for i, n := range root.list("routes") {
		r.askedInVain(c, n, c.Routes[i])
	}
}

func (r *reader) askedInVain(c *Config, n *node, route Route) {
	var recorded []string
	for _, recorder := range c.Recorders {
		if !slices.Contains(route.Recorders, recorder.Name) {
			continue
		}
		if len(recorder.Purposes) == 0 {
			return // it records for any
		}
		recorded = append(recorded, recorder.Purposes...)
	}
	for _, p := range c.Policies {
		if p.Name != route.Policy || p.Name == "" || p.Ask == AskTogether || len(recorded) == 0 {
			continue
		}
		for _, purpose := range p.Purposes {
			if purpose != "" && !slices.Contains(recorded, purpose) {
				r.warn(n.get("recorders"), "record nothing for %q, which policy %q asks for by itself", purpose, p.Name)
			}
		}
	}
}
