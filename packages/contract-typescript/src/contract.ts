/** The shape of a service's `contract.json`, which `invoke sync` derives from the catalogue. */
export interface Contract {
  readonly service: string;
  readonly port: number;
  readonly variables: readonly Variable[];
}

/** One environment variable that the service reads. */
export interface Variable {
  readonly name: string;
  /** string, url, int, port, duration, bool, list or enum. */
  readonly type: string;
  readonly required: boolean;
  readonly default: string | null;
  readonly secret: boolean;
  readonly minLength: number | null;
  readonly values: readonly string[];
  readonly description: string;
}
