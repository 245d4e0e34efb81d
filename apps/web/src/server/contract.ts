// Reads this process's environment by contract.json, the one home of names, defaults and types.

export type Variable = {
  name: string;
  type: string;
  required: boolean;
  default: string | null;
  secret: boolean;
  minLength: number | null;
  values: string[];
  description: string;
};

export type Contract = { service: string; port: number; variables: Variable[] };

export type Environment = Readonly<Record<string, string | undefined>>;

/** The environment does not fulfil the contract. `message` is one line that names everything missing or invalid, and no value. */
export class ConfigError extends Error {}

/** The contract's variables by name, defaults filled in; an empty value counts as missing. Throws `ConfigError`. */
export function readEnvironment(contract: Contract, environment: Environment): Record<string, string> {
  const values: Record<string, string> = {};
  const problems: string[] = [];
  for (const variable of contract.variables) {
    const value = environment[variable.name] || variable.default;
    if (value === null || value === "") {
      if (variable.required) problems.push(`${variable.name} is required (${variable.description})`);
      values[variable.name] = "";
      continue;
    }
    const problem = check(variable, value);
    if (problem) problems.push(`${variable.name} ${problem}`);
    values[variable.name] = value;
  }
  if (problems.length > 0) throw new ConfigError(`${contract.service}: cannot start: ${problems.join("; ")}`);
  return values;
}

function check(variable: Variable, value: string): string | undefined {
  if (variable.minLength !== null && value.length < variable.minLength) {
    return `must have ${variable.minLength} characters or more`;
  }
  switch (variable.type) {
    case "url":
      return URL.canParse(value) ? undefined : "must be a URL";
    case "int":
      return /^-?\d+$/.test(value) ? undefined : "must be a whole number";
    case "port":
      return /^\d{1,5}$/.test(value) && Number(value) >= 1 && Number(value) <= 65535
        ? undefined
        : "must be a port, 1 to 65535";
    case "duration":
      return /^\d+(ms|s|m|h|d)$/.test(value) ? undefined : "must be a duration, such as 15m or 7d";
    case "enum":
      return variable.values.includes(value) ? undefined : `must be one of ${variable.values.join(", ")}`;
    default:
      return undefined;
  }
}
