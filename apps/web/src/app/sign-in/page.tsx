import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { AccountPage } from "../../components/account-page.tsx";
import { currentPerson } from "../../session/person.ts";

export const metadata: Metadata = { title: "Sign in" };

export default async function SignIn({ searchParams }: PageProps<"/sign-in">) {
  const query = await searchParams;
  if (!query.expired && (await currentPerson())) redirect("/memories");
  return (
    <AccountPage
      action="sign-in"
      title="Welcome back"
      lead="Sign in to your memories."
      submit="Sign in"
      fields={[
        { name: "email", label: "Email", type: "email", autoComplete: "username", maxLength: 254 },
        { name: "password", label: "Password", type: "password", autoComplete: "current-password", maxLength: 256 },
      ]}
      other={{ question: "New here?", href: "/sign-up", label: "Create an account" }}
      query={query}
    />
  );
}
