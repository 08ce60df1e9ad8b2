import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { pause } from "../../internal/host.ts"

/**
 * Gives an effect so much time: by Effect's clock, or by that of the host where
 * that is sooner, because at the end of a program nobody may be there who moves a
 * `TestClock` on.
 */
export const within = (limit: Duration.Duration) => <A, E, R>(self: Effect.Effect<A, E, R>) =>
  Effect.raceFirst(
    Effect.timeoutOption(self, limit),
    Effect.as(pause(Duration.toMillis(limit)), Option.none<A>())
  )
