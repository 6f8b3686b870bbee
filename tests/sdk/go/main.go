// The command runs one of Alibaba Cloud's Go SDKs against the emulator that `cargo xtask test` has started for it:
// gen1 by signature v1, gen2 by v3 or, with a second word, by the older one, or the ways to temporary keys.
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	report := &report{}
	if err := run(report, strings.Join(os.Args[1:], " ")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(report.end())
}

func run(report *report, client string) error {
	emulator, err := newEmulator()
	if err != nil {
		return err
	}
	switch client {
	case "gen1":
		everything(report, emulator, generation{newGen1, "v1"})
	case "gen2":
		everything(report, emulator, generation{newGen2, "v3"})
		throttling(report, emulator)
	case "gen2 v2":
		everything(report, emulator, generation{newGen2SigningAsGen1, "v1"})
	case "roles":
		return roles(report, emulator)
	default:
		return fmt.Errorf("no client is called %q", client)
	}
	return nil
}

func everything(report *report, emulator *emulator, kind generation) {
	lifecycle(report, kind.client(emulator), emulator)
	refusals(report, kind, emulator)
}
