import { redirect } from "next/navigation";
import { currentPerson } from "../session/person.ts";

export default async function Home() {
  redirect((await currentPerson()) ? "/memories" : "/sign-in");
}
