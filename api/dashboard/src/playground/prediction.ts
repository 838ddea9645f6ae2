/** What the service answers when a model is asked. */

/** What a model that foretells numbers says of one sample; of a forecast, each target's next rows in turn. */
export interface Foretold {
  values: Record<string, number | number[]>;
}

export interface Guessed {
  class: string;
  index: number;
  probability: number;
  probabilities: Record<string, number>;
}

export interface Prediction<Said = Guessed> {
  model: string;
  model_version: number;
  predictions: Said[];
}
